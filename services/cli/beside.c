#include "cli/beside.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SELF_MAX = 4096 /* bytes */ };

status program_beside(const char *name, char *path, size_t size, struct error *reterr)
{
    char self[SELF_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) return fail(reterr, STATUS_INTERNAL, "/proc/self/exe: %m");
    self[length] = '\0';
    char *slash  = strrchr(self, '/');
    if (slash) *slash = '\0';
    int written = snprintf(path, size, "%s/%s", self, name);
    if (written < 0 || (size_t)written >= size || access(path, X_OK) != 0) {
        return fail(reterr, STATUS_NOT_FOUND, "%s is not beside this program in %s", name, self);
    }
    return STATUS_OK;
}
