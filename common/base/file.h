/** file: whole files of a bounded size, and writing all that was given. Any thread. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdio.h>

/** Appends the whole of a file to `out`. NOT_FOUND (cannot be opened), UNAVAILABLE (cannot be
 * read), RESOURCE_EXHAUSTED (more than `out` takes). */
status file_read(const char *path, struct buf *out, struct error *reterr);

/** The same of a stream, which stays open; `name` is for the error. */
status file_read_stream(FILE *stream, const char *name, struct buf *out, struct error *reterr);

/** Writes all of `data`, however many calls it takes. False: errno says why, and a part of it may
 * have been written. */
bool file_write(int fd, bytes data);

#endif
