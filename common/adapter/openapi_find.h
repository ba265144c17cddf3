/**
 * openapi_find: what stands where in a description: OpenAPI 3.x or Swagger 2.0.
 *
 * References are followed inside of the description, and into those other documents that are there;
 * not in circles. Views throughout. Pure; any thread.
 */
#ifndef ADAPTER_OPENAPI_FIND_H
#define ADAPTER_OPENAPI_FIND_H

#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

enum {
    OPENAPI_REFS_MAX     = 32,     /* `$ref` behind `$ref` */
    OPENAPI_FOLLOWED_MAX = 50'000, /* of one look at a description, where they are counted */
};

/** Another document that a description refers to; of openapi_part_new(). */
struct openapi_part {
    str url; /* as it was referred to, without a fragment */
    json root;
};

/** A description with its parts. */
struct openapi_library {
    json root;
    str url; /* where it came from; empty: nothing else is referred to */
    const struct openapi_part *parts;
    size_t part_count;
    struct buf *wanted; /* gets the URL of the first document that is none of them, and would have
                         * to be fetched; NULL: nobody asks */
    bool *is_search;  /* set if that document is one of those that the operation may be in; NULL */
    size_t *followed; /* counts references: above OPENAPI_FOLLOWED_MAX none is followed any more;
                       * NULL: no limit */
};

/** A document from `url` as a part: its references are absolute. `*values` counts its texts,
 * numbers and containers on. Owned. */
json openapi_part_new(json document, str url, size_t *values);

struct openapi_operation {
    const char *method; /* "get" */
    str path;           /* as the description has it: "/pets/{petId}" */
    json item, self;    /* of the path, and of the method */
};

/** INVALID_ARGUMENT: it is neither of the two. */
status openapi_check(json root, bool *ret_is_swagger, struct error *reterr);

/** What a reference means; JSON_INVALID for those into documents that are not there, and in
 * circles. What is none means itself. */
json openapi_follow(const struct openapi_library *library, json node);
json openapi_follow_member(const struct openapi_library *library, json map, const char *name);

/** The same for a description alone. */
json openapi_resolve(json root, json node);
json openapi_member(json root, json map, const char *name);

/** Says whether a media type, with or without parameters, is `wanted`, or ends with it: "+json". */
bool openapi_type_is(str type, const char *wanted);
bool openapi_type_is_json(str type);

/** A text of a map; empty if there is none. */
str openapi_text(json map, const char *name);

/** The operation of that operationId. NOT_FOUND: what is there has it not. If paths lead into
 * documents that are not there, the one whose name is most like the operation's is wanted. */
status openapi_find(const struct openapi_library *library, str id,
                    struct openapi_operation *ret_operation, struct error *reterr);

#endif
