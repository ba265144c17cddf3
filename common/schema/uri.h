/** uri: references resolved against a base (RFC 3986, section 5), as $id and $ref need them. */
#ifndef SCHEMA_URI_H
#define SCHEMA_URI_H

#include "base/buf.h"

/** Appends `reference`, made absolute by `base`, without its fragment. False if `out` is full. */
bool uri_resolve(str base, str reference, struct buf *out);

/** What follows the first `#`; `*ret_has` says whether there is one. */
str uri_fragment(str reference, bool *ret_has);

/** Appends `text` with %XX undone. False if it is malformed or `out` is full. */
bool uri_decode(str text, struct buf *out);

#endif
