/* A description from anywhere: whatever is made of one of its operations is one URL below the
 * server that it names, or nothing. */
#include "adapter/openapi_find.h"
#include "adapter/openapi_request.h"
#include "base/assert.h"
#include "base/attr.h"
#include "http/http.h"
#include "http/url.h"
#include "json/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPERATIONS_MAX = 20 };

/* The description refers to itself under another name, too. */
#define PART_URL "https://docs.test/a/c"

static void call_one(json description, str id, json parameters)
{
    CLEANUP(json_unrefp) json request   = json_invalid();
    struct error error                  = {};
    struct url parts                    = {};
    size_t values                       = 0;
    CLEANUP(buf_done) struct buf wanted = buf_init(HTTP_URL_MAX);
    CLEANUP(json_unrefp) json moved = openapi_part_new(description, str_from(PART_URL), &values);
    const struct openapi_part part  = {.url = str_from(PART_URL), .root = moved};
    const struct openapi_call call  = {.description  = description,
                                       .document_url = str_from("https://docs.test/a/b"),
                                       .operation_id = id,
                                       .parameters   = parameters,
                                       .parts        = &part,
                                       .part_count   = 1,
                                       .wanted       = &wanted};
    if (openapi_request_new(&call, &request, &error) != STATUS_OK) {
        ASSERT(error.text[0] == '/');
        return;
    }
    if (wanted.len > 0) ASSERT(url_parse(buf_str(&wanted), &parts));
    ASSERT(json_is(json_get_text(request, "method"), JSON_TEXT));
    ASSERT(json_is(json_get_text(request, "headers"), JSON_OBJECT));
    (void)url_parse(json_str(json_get_text(request, "endpoint")), &parts);
}

/* {description, parameters}. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    str text                        = {.ptr = (const char *)data, .len = size};
    if (json_parse(text, NULL, &value, NULL, NULL) != STATUS_OK) return 0;
    json description = json_get_text(value, "description");
    json paths       = json_get_text(description, "paths");
    call_one(description, str_from("none"), json_invalid());
    for (size_t i = 0; json_is(paths, JSON_OBJECT) && i < json_count(paths) && i < OPERATIONS_MAX;
         i++) {
        json item = openapi_resolve(description, json_value_at(paths, i));
        for (size_t k = 0; json_is(item, JSON_OBJECT) && k < json_count(item); k++) {
            json self = json_value_at(item, k);
            call_one(description, openapi_text(self, "operationId"),
                     json_get_text(value, "parameters"));
        }
    }
    return 0;
}
