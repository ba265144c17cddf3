/** beside: the programs of the suite, which are in the folder of this one. */
#ifndef CLI_BESIDE_H
#define CLI_BESIDE_H

#include "base/status.h"

#include <stddef.h>

/** Writes the path of the program `name`. NOT_FOUND: it is not there. */
status program_beside(const char *name, char *path, size_t size, struct error *reterr);

#endif
