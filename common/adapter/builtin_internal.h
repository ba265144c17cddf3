/* builtin_internal: the texts of the built-in manifests, in a table that the build makes. */
#ifndef ADAPTER_BUILTIN_INTERNAL_H
#define ADAPTER_BUILTIN_INTERNAL_H

#include <stddef.h>

struct builtin_text {
    const char *name; /* NULL ends the table */
    const unsigned char *text;
    const size_t *size;
};

extern const struct builtin_text builtin_texts[];

#endif
