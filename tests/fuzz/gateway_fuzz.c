/*
 * What the gateway reads of a request before a handler runs: path, query, and the body against the
 * contract's schemas. An input is a path, a query and a body, on lines of their own.
 */
#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "gateway/api/api.h"
#include "gateway/api/paging.h"
#include "gateway/events/event_frames.h"
#include "gateway/server.h"
#include "schema/schema.h"
#include "json/json_text.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct contract *contract; /* made by the first input: it takes long */

static void load(void)
{
    const char **operations = server_operations();
    status code             = contract_load(operations, &contract, NULL);
    ASSERT(code == STATUS_OK);
    free(operations);
}

static str take_line(str *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    size_t len      = end ? (size_t)(end - rest->ptr) : rest->len;
    str line        = str_slice(*rest, 0, len);
    *rest           = str_slice(*rest, end ? len + 1 : len, rest->len);
    return line;
}

static void check_path(str path)
{
    for (int method = 0; method < METHOD_COUNT; method++) {
        struct route_match match = contract_match(contract, (enum method)method, path);
        ASSERT(!match.route || match.allowed & 1U << method);
        ASSERT(!match.route || match.param_count == match.route->param_count);
        for (uint32_t i = 0; i < match.param_count; i++) ASSERT(match.params[i].len > 0);
    }
}

static void check_query(str query, struct arena *arena)
{
    static const char *const names[] = {"status", "label", "wait", "page_size", "page_token"};
    struct api api                   = {};
    struct route route               = {.wait_ms_max = 60'000};
    struct httpd_request request     = {.query = query};
    struct api_call call = {.api = &api, .route = &route, .request = &request, .arena = arena};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t cursor = 0;
        str value     = {};
        while (api_query_next(&call, names[i], &cursor, &value)) {
            ASSERT(value.ptr[value.len] == '\0');
            uint64_t position = 0;
            unsigned groups   = 0;
            (void)event_position_parse(value, &position);
            if (event_groups_parse(value, &groups)) ASSERT(groups <= EVENT_GROUPS_ALL);
        }
    }
    int64_t wait_ms = 0;
    if (api_wait_ms(&call, &wait_ms, NULL) == STATUS_OK) {
        ASSERT(wait_ms >= 0 && wait_ms <= route.wait_ms_max);
    }
    Pb__Page page = PB__PAGE__INIT;
    if (paging_begin(&call, NULL) == STATUS_OK) {
        uint16_t partition = paging_page(&call, &page);
        ASSERT(page.size >= 1 && page.size <= 500 && partition == 0);
    }
}

static void check_body(str body, struct arena *arena)
{
    json value = json_invalid();
    if (json_parse(body, NULL, &value, NULL, NULL) != STATUS_OK) return;
    uint32_t count             = 0;
    const struct route *routes = contract_routes(contract, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (!routes[i].body_schema) continue;
        struct schema_errors errors = {};
        status code = schema_check(routes[i].body_schema, value, arena, &errors, NULL);
        ASSERT(code != STATUS_INTERNAL);
        ASSERT(code != STATUS_OK || errors.count == 0);
    }
    json_unref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!contract) load();
    str rest                                 = {.ptr = (const char *)data, .len = size};
    CLEANUP(arena_freep) struct arena *arena = arena_new(API_CALL_ARENA_MAX);
    if (size > HTTPD_HEAD_MAX) return 0;
    check_path(take_line(&rest));
    check_query(take_line(&rest), arena);
    check_body(rest, arena);
    return 0;
}
