/* A header Content-Disposition from anywhere: its name becomes one that can be given back. */
#include "base/assert.h"
#include "base/file_name.h"
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const str header = {.ptr = (const char *)data, .len = size};
    str given        = header;
    char name[FILE_NAME_SIZE];
    char back[4 * FILE_NAME_SIZE + 64];
    (void)file_name_of_disposition(header, &given);
    file_name_clean(given, name);
    size_t len = strlen(name);
    ASSERT(len > 0 && utf8_valid_prefix(str_from(name)) == len);
    ASSERT(!strpbrk(name, "/\"\r\n"));
    file_name_disposition(str_from(name), back, sizeof back);
    str again = {};
    ASSERT(file_name_of_disposition(str_from(back), &again) && again.len == len);
    return 0;
}
