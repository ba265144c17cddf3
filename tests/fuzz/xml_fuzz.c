/* XML of strangers: whatever is accepted is an object with one member, and prints. */
#include "base/assert.h"
#include "base/buf.h"
#include "xml/xml.h"
#include "json/json_text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_unrefp) json value   = json_invalid();
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    if (xml_parse((str){.ptr = (const char *)data, .len = size}, &value, NULL) != STATUS_OK) {
        ASSERT(json_is(value, JSON_INVALID));
        return 0;
    }
    ASSERT(json_is(value, JSON_OBJECT) && json_count(value) == 1);
    bool is_printed = json_print(value, JSON_COMPACT, &text);
    ASSERT(is_printed);
    return 0;
}
