/* Short texts of many kinds: what is read prints as something that reads as the same. The first
 * byte says which kind it is. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/money.h"
#include "http/http_date.h"
#include "rpc/address.h"
#include "telemetry/trace.h"
#include "workflow/duration.h"
#include "workflow/function_catalog.h"
#include "workflow/workflow.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 4'096 };

static void duration(str text)
{
    int64_t us = 0;
    if (duration_parse(text, &us)) ASSERT(us >= 0);
    CLEANUP(json_unrefp) json value = json_text_lossy(text);
    struct error error              = {};
    if (duration_read(value, &us, &error) == STATUS_OK) {
        ASSERT(us >= 0);
    } else {
        ASSERT(error.text[0]);
    }
    CLEANUP(json_unrefp) json tree = json_invalid();
    if (json_parse(text, NULL, &tree, NULL, NULL) != STATUS_OK) return;
    if (duration_read(tree, &us, NULL) == STATUS_OK) ASSERT(us >= 0);
}

static void money(str text)
{
    int64_t nanos = 0;
    int64_t again = 0;
    if (!money_parse(text, &nanos)) return;
    CLEANUP(buf_done) struct buf out = buf_init(MONEY_TEXT_MAX);
    ASSERT(money_print(nanos, &out));
    ASSERT(money_parse(buf_str(&out), &again) && again == nanos);
}

static void trace(str text)
{
    struct trace_context context = {};
    struct trace_context again   = {};
    if (!trace_parse(text, &context)) return;
    char out[TRACE_TEXT_SIZE];
    trace_format(&context, out);
    ASSERT(trace_parse(str_from(out), &again));
    ASSERT(memcmp(&context, &again, sizeof context) == 0);
}

/* A pointer, a new line and a JSON document, which is also patched by itself. */
static void pointer(str text)
{
    const char *end                = text.len > 0 ? memchr(text.ptr, '\n', text.len) : NULL;
    size_t cut                     = end ? (size_t)(end - text.ptr) : text.len;
    CLEANUP(json_unrefp) json root = json_invalid();
    str rest                       = str_slice(text, end ? cut + 1 : cut, text.len);
    if (json_parse(rest, NULL, &root, NULL, NULL) != STATUS_OK) return;
    (void)json_pointer_get(root, str_slice(text, 0, cut));
    CLEANUP(json_unrefp) json patched = json_merge_patch_new(root, root);
    CLEANUP(json_unrefp) json again   = json_merge_patch_new(patched, root);
    ASSERT(json_equal(patched, again));
}

static void names(str text)
{
    struct function_selector selector = {};
    if (function_selector_read(text, &selector)) {
        ASSERT(selector.name.len > 0 && selector.name.len <= text.len);
    }
    (void)function_version_matches(text, text);
    (void)secret_name_is_valid(text);
    str half = str_slice(text, text.len / 2, text.len);
    ASSERT(version_compare(text, text) == 0);
    int order = version_compare(text, half);
    int back  = version_compare(half, text);
    ASSERT((order < 0) == (back > 0) && (order == 0) == (back == 0));
}

static void address(str text)
{
    struct address found = {};
    struct error error   = {};
    str list             = text;
    str part             = {};
    for (size_t i = 0; address_next(&list, &part); i++) ASSERT(i <= text.len);
    if (address_parse(text, &found, &error) == STATUS_OK) {
        ASSERT(found.url[0]);
    } else {
        ASSERT(error.text[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t unix_s = 0;
    if (size == 0 || size > TEXT_MAX) return 0;
    str text = {.ptr = (const char *)data + 1, .len = size - 1};
    switch (data[0] % 7) {
    case 0: duration(text); break;
    case 1: money(text); break;
    case 2: trace(text); break;
    case 3: pointer(text); break;
    case 4: names(text); break;
    case 5: address(text); break;
    default: (void)http_date_read(text, &unix_s); break;
    }
    return 0;
}
