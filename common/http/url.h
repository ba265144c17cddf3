/**
 * url: percent-encoding, templates, and the parts of an http URL.
 *
 * Percent-encoding and the reserved characters: RFC 3986. Templates: RFC 6570 level 1, which is all
 * that the workflow language has (`{name}`). Pure functions: any thread.
 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { URL_NAME_MAX = 256 /* bytes of a template's variable */, URL_HOST_MAX = 255 };

/** Appends `text` with everything but A-Z a-z 0-9 - . _ ~ as %XX. False if `out` is full. */
bool url_encode(struct buf *out, str text);

/** The same, but keeps '/', for a path of several segments. */
bool url_encode_path(struct buf *out, str text);

/** Appends `text` decoded; false if a % is not followed by two hexadecimal digits (or full).
 * '+' stays as it is, but in a query (`is_query`) it is a space. */
bool url_decode(struct buf *out, str text, bool is_query);

/** Appends "name=value" encoded, after '?' or '&' as `out` needs it. */
bool url_add_query(struct buf *out, str name, str value);

/** Gives the value of a template's variable, not encoded, a view for as long as expanding takes.
 * An empty one for what is missing. Any status but OK ends the expansion. */
typedef status (*url_value_fn)(str name, str *ret_value, struct error *reterr, void *context);

/** Appends `template` with each {name} replaced by its encoded value. Other text is kept as it is.
 * Fails with INVALID_ARGUMENT (brace without partner, operator, empty name: says where),
 * RESOURCE_EXHAUSTED (`out` full), or what `value` returned. */
status url_expand(str template, url_value_fn value, void *context, struct buf *out,
                  struct error *reterr);

/** The parts of an absolute http or https URL; views of it. */
struct url {
    str scheme;    /* as written */
    str user_info; /* without '@'; empty if none */
    str host;      /* without brackets */
    uint16_t port; /* the scheme's own if none is written */
    bool is_https;
    str path;     /* with its '/'; empty if none */
    str query;    /* without '?' */
    str fragment; /* without '#' */
};

/** False unless it is an http or https URL with a host, of printable ASCII without spaces. Stricter
 * than libcurl on purpose: what we cannot read we do not send. */
bool url_parse(str url, struct url *ret_url);

/** Says whether a label of the host is in Punycode ("xn--", RFC 5891, 4.4): written out it may look
 * like another one. */
bool url_is_disguised(const struct url *url);

/** Same scheme, host (in any case) and port. */
bool url_same_origin(const struct url *a, const struct url *b);
/** Says whether both lead to the same host, whatever the port. */
bool url_same_host(const struct url *a, const struct url *b);

/** Appends `reference` as it is meant on a page at `base`, an http URL (RFC 3986, section 5.2);
 * what no URL may hold, spaces and letters beyond ASCII, as %XX. Other schemes (mailto:) stay as
 * they are. False if `base` is no http URL, or something does not fit. */
bool url_resolve(str base, str reference, struct buf *out);

/** Appends "https://host:port": what of a URL may stand in logs and errors. */
bool url_put_origin(struct buf *out, const struct url *url);

#endif
