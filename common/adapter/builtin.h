/** builtin: the manifests that tutti brings, by name: common/adapter/manifests, part of the
 * program.
 */
#ifndef ADAPTER_BUILTIN_H
#define ADAPTER_BUILTIN_H

#include "base/str.h"

#include <stddef.h>

/** How many there are; the name of each, in order of the alphabet. */
size_t builtin_manifest_count(void);
const char *builtin_manifest_name(size_t index);

/** The text of one; empty if there is none of that name. */
str builtin_manifest_text(str name);

#endif
