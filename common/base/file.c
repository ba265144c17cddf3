#include "base/file.h"

#include <errno.h>
#include <unistd.h>

enum { PIECE_SIZE = 8 << 10 /* bytes */ };

status file_read_stream(FILE *stream, const char *name, struct buf *out, struct error *reterr)
{
    char piece[PIECE_SIZE];
    size_t size = 0;
    do {
        size = fread(piece, 1, sizeof piece, stream);
        (void)buf_put(out, piece, size);
    } while (size > 0 && !out->is_full); /* a device has no end */
    if (ferror(stream) != 0) return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", name);
    if (out->is_full) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "%s: over %zu KiB", name,
                    out->len_max / 1024);
    }
    return STATUS_OK;
}

status file_read(const char *path, struct buf *out, struct error *reterr)
{
    FILE *file = fopen(path, "re");
    if (!file) return fail(reterr, STATUS_NOT_FOUND, "%s: %m", path);
    status code = file_read_stream(file, path, out, reterr);
    (void)fclose(file);
    return code;
}

bool file_write(int fd, bytes data)
{
    const char *rest = data.ptr;
    for (size_t left = data.len; left > 0;) {
        ssize_t written = write(fd, rest, left);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        rest += written;
        left -= (size_t)written;
    }
    return true;
}
