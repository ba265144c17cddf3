/*
 * Documents in XML as JSON: what answers of services in that form are to expressions.
 *
 *     <List><Item><Key>a</Key></Item><Item><Key>b</Key></Item></List>
 *     {"List": {"Item": [{"Key": "a"}, {"Key": "b"}]}}
 *
 * An element is a member of the one around it, by its name as it is written (prefixes stay). An
 * element with nothing but text is that text, and an empty one the empty text. One with elements or
 * attributes is an object: attributes are members `@name` (declarations of namespaces are left
 * out), text beside elements is the member `#text`, without the white space around it. An element
 * that comes again among its siblings makes a list of them, in their order: one that comes once is
 * no list.
 *
 * Documents come from strangers: a DTD is refused (so there are no entities but the five of XML,
 * and nothing external is read), and depth and the number of elements and attributes are limited.
 * Names that only differ after 1,000 bytes are refused as too long. Any thread; no state is kept.
 */
#ifndef XML_XML_H
#define XML_XML_H

#include "base/status.h"
#include "json/json.h"

enum {
    XML_DEPTH_MAX  = 64,      /* elements around each other */
    XML_VALUES_MAX = 100'000, /* elements and attributes */
    XML_NAME_MAX   = 1'000,   /* bytes */
};

/**
 * `*ret_value` is owned, an object with one member: the root. DATA_LOSS: it is no XML, or in an
 * encoding that is not known, with the line. PERMISSION_DENIED: it has a DTD. OUT_OF_RANGE: a
 * limit.
 */
status xml_parse(str text, json *ret_value, struct error *reterr);

#endif
