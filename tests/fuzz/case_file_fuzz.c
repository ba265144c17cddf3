/* Files of cases: whatever they hold, reading them ends with findings or with cases. */
#include "cli/test/case_file.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(256 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    struct case_file file                    = {};
    struct error error                       = {};
    status read = case_file_read((str){(const char *)data, size}, arena, list, &file, &error);
    if (read != STATUS_OK && list->errors == 0 && !error.text[0]) __builtin_trap();
    case_file_done(&file);
    return 0;
}
