#include "adapter/builtin.h"

#include "adapter/builtin_internal.h"

size_t builtin_manifest_count(void)
{
    size_t count = 0;
    while (builtin_texts[count].name) count++;
    return count;
}

const char *builtin_manifest_name(size_t index)
{
    return builtin_texts[index].name;
}

str builtin_manifest_text(str name)
{
    for (const struct builtin_text *one = builtin_texts; one->name; one++) {
        if (!str_is(name, one->name)) continue;
        return (str){.ptr = (const char *)one->text, .len = *one->size};
    }
    return (str){};
}
