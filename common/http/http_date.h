/** http_date: dates in headers (RFC 9110 section 5.6.7), in the form that is sent today; the two
 * old forms are not read. Pure. */
#ifndef HTTP_HTTP_DATE_H
#define HTTP_HTTP_DATE_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/** Reads "Sun, 06 Nov 1994 08:49:37 GMT" as seconds of Unix time. The name of the day is not
 * compared with the date. */
bool http_date_read(str text, int64_t *ret_unix_s);

#endif
