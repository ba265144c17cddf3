#include "base/label.h"

bool label_read(str text, str *ret_key, str *ret_value)
{
    size_t at = 0;
    while (at < text.len && text.ptr[at] != '=' && text.ptr[at] != ':') at++;
    if (at == 0 || at == text.len) return false;
    *ret_key   = str_slice(text, 0, at);
    *ret_value = str_slice(text, at + 1, text.len);
    return true;
}
