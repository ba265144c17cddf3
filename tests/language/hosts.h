/** hosts: which hosts features name, so that all of them lead to the stand-in. */
#ifndef LANGUAGE_HOSTS_H
#define LANGUAGE_HOSTS_H

#include <stddef.h>

enum { HOSTS_MAX = 64, HOST_NAME_MAX = 256 };

/** Each with its port: "petstore.test:443". */
struct hosts {
    const char *names[HOSTS_MAX];
    size_t count;
    char texts[HOSTS_MAX][HOST_NAME_MAX + 8];
};

/** The hosts of all http and https URLs in these files. Files that cannot be read have none: their
 * turn to complain comes later. Owned. */
struct hosts *hosts_of(const char *const *files, size_t count);
void hosts_freep(struct hosts **hosts);

#endif
