/**
 * file_name: names of files as clients send them, and as they are given back.
 *
 * Pure; any thread.
 */
#ifndef BASE_FILE_NAME_H
#define BASE_FILE_NAME_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum { FILE_NAME_SIZE = 256 /* bytes of a name, its NUL included */ };

/** The name of a header `Content-Disposition` (RFC 6266): `filename="a.txt"` or `filename=a.txt`; a
 * view, with the backslashes it has. False: it says none. */
bool file_name_of_disposition(str header, str *ret_name);

/** Leaves of a name what is behind the last slash or backslash, valid UTF-8 without control
 * characters and quotes, cut at FILE_NAME_SIZE; "file" if nothing is left. */
void file_name_clean(str name, char ret_name[static FILE_NAME_SIZE]);

/** The header for a clean name: `attachment; filename="..."; filename*=UTF-8''...`. `size` of 4
 * times FILE_NAME_SIZE and 64 is enough. */
void file_name_disposition(str name, char *ret_header, size_t size);

#endif
