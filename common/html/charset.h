/**
 * charset: in which encoding a page is written, and the page as UTF-8.
 *
 * The order of the HTML standard: a byte order mark, what Content-Type says, what a <meta> within
 * the first 1,024 bytes says, else windows-1252. Names are those of the Encoding standard (WHATWG),
 * where ISO-8859-1 and ASCII mean windows-1252 too. One that is not known counts as not said.
 *
 * Pure functions: any thread.
 */
#ifndef HTML_CHARSET_H
#define HTML_CHARSET_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

enum { CHARSET_META_MAX = 1'024 /* bytes that are searched for <meta> */ };

/** The name of the encoding, lower case, as iconv knows it: "utf-8", "windows-1252"; static.
 * `content_type` is the header's value, empty if there is none. */
const char *charset_of(str content_type, str page);

/** Appends `page` as UTF-8, without a byte order mark; what is no character becomes U+FFFD. False
 * if `out` is full. `charset` is what charset_of() says. */
bool charset_decode(const char *charset, str page, struct buf *out);

#endif
