#include "store/vouch.h"

#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { BYTE_DOOR, BYTE_VOUCH };

static struct flock lock_of(int byte, short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
}

static status lock(int fd, int byte, short type, struct error *reterr)
{
    struct flock wanted = lock_of(byte, type);
    while (fcntl(fd, F_OFD_SETLKW, &wanted) != 0) {
        if (errno == EINTR) continue;
        return fail(reterr, STATUS_UNAVAILABLE, "store: lock its folder: %m");
    }
    return STATUS_OK;
}

status vouch_open(const char *folder, int *ret_fd, struct error *reterr)
{
    char path[STORE_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/owner", folder);
    if (len >= (int)sizeof path) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "store: the folder's name is too long");
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return fail(reterr, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_UNAVAILABLE,
                    "store: %s: %m", path);
    }
    *ret_fd = fd;
    return STATUS_OK;
}

status vouch_enter(int fd, struct error *reterr)
{
    return lock(fd, BYTE_DOOR, F_WRLCK, reterr);
}

bool vouch_is_given(int fd)
{
    struct flock seen = lock_of(BYTE_VOUCH, F_WRLCK);
    return fcntl(fd, F_OFD_GETLK, &seen) == 0 && seen.l_type != F_UNLCK;
}

status vouch_give(int fd, struct error *reterr)
{
    return lock(fd, BYTE_VOUCH, F_RDLCK, reterr);
}

void vouch_leave(int fd)
{
    struct flock none = lock_of(BYTE_DOOR, F_UNLCK);
    (void)fcntl(fd, F_OFD_SETLK, &none);
}
