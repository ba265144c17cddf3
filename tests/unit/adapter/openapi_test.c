/* Skeletons of manifests from descriptions: what is taken over, and that only decisions are left.
 */
#include "adapter/manifest.h"
#include "adapter/openapi.h"

#include "base/attr.h"
#include "support/cmocka.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum { ARENA_MAX = 32 << 20 };

static const char openapi[] =
    "{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"A \\\"shop\\\"\\nreally\",\"version\":\"1\"},"
    "\"servers\":[{\"url\":\"https://shop.test/api\"}],"
    "\"components\":{\"securitySchemes\":{\"k\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":"
    "\"X-Key\"}},\"schemas\":{\"Order\":{\"type\":\"object\",\"required\":[\"item\"],"
    "\"properties\":"
    "{\"item\":{\"type\":\"string\",\"description\":\"what: {it} is # 'this'\"},\"kind\":{\"type\":"
    "\"string\",\"enum\":[\"=a\",\"b\"]},\"id\":{\"type\":\"integer\"},\"connection\":{\"type\":"
    "\"boolean\"}}},\"Loop\":{\"$ref\":\"#/components/schemas/Loop\"}}},"
    "\"paths\":{\"/shops/{shop-id}/orders\":{\"parameters\":[{\"name\":\"shop-id\",\"in\":\"path\","
    "\"schema\":{\"type\":\"string\"}}],"
    "\"post\":{\"operationId\":\"createOrder\",\"summary\":\"Order\",\"requestBody\":{\"required\":"
    "true,\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/"
    "Order\"}}}},"
    "\"responses\":{\"201\":{\"content\":{\"application/json\":{\"schema\":{\"$ref\":"
    "\"#/components/schemas/Order\"}}}}}},"
    "\"get\":{\"operationId\":\"listOrders\",\"parameters\":[{\"name\":\"id\",\"in\":\"query\"},"
    "{\"name\":\"Id\",\"in\":\"query\"},{\"$ref\":\"#/nowhere\"},{\"$ref\":\"other.json#/x\"}],"
    "\"responses\":{\"200\":{\"content\":{\"application/"
    "json\":{\"schema\":{\"type\":\"array\"}}}}}}},"
    "\"/loop\":{\"put\":{\"requestBody\":{\"content\":{\"application/json\":{\"schema\":{\"$ref\":"
    "\"#/components/schemas/Loop\"}}}}},\"delete\":{\"operationId\":\"create-order\"}}}}";

static const char swagger[] =
    "{\"swagger\":\"2.0\",\"host\":\"shop.test\",\"basePath\":\"/v2\",\"info\":{},"
    "\"securityDefinitions\":{\"b\":{\"type\":\"basic\"}},\"paths\":{\"/orders\":{\"post\":{"
    "\"parameters\":[{\"name\":\"item\",\"in\":\"formData\",\"type\":\"string\",\"required\":true},"
    "{\"name\":\"X-Trace\",\"in\":\"header\",\"type\":\"string\"}]}}}}";

static status make(const char *text, const char *operations, struct buf *out, struct error *reterr)
{
    const struct openapi_options options = {.name = "shop", .operations = operations};
    CLEANUP(json_unrefp) json value      = json_invalid();
    TRY(json_parse(str_from(text), NULL, &value, NULL, reterr));
    status code = openapi_skeleton(value, &options, out, reterr);
    (void)buf_put_byte(out, '\0');
    return code;
}

/* Reads it as a manifest; returns how many decisions are left, of which one is the `spec`, and
 * fails for anything else. */
static size_t decisions_of(const struct buf *out)
{
    CLEANUP(arena_freep) struct arena *arena          = arena_new(ARENA_MAX);
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    struct diagnostics *list                          = diagnostics_new(arena);
    struct error error                                = {};
    (void)!manifest_read((str){.ptr = out->ptr, .len = out->len - 1}, list, &manifest, &error);
    for (size_t i = 0; i < list->count; i++) {
        bool is_left =
            strcmp(list->items[i].code, "M06") == 0 || strcmp(list->items[i].code, "M08") == 0;
        if (is_left) continue;
        fail_msg("line %u: %s\n%s", list->items[i].line, list->items[i].detail, out->ptr);
    }
    return list->count;
}

static void takes_over_what_openapi_says(void **)
{
    static const char *const parts[] = {
        "title: \"A \\\"shop\\\"\"",
        "default: \"https://shop.test/api\"",
        "auth: {type: header, name: \"X-Key\", secret: key}",
        "  create_order:\n",
        "  create_order_2:\n",
        "  list_orders:\n",
        "  put_loop:\n",
        "path: \"/shops/{shop_id}/orders\"",
        "item: {type: string, description: \"what: {it} is # 'this'\"}",
        "enum: [\"=a\", \"b\"]",
        "connection_2: {type: boolean}",
        "\"connection\": \"=.params.connection_2\"",
        "\"Id\": \"=.params.id_2\"",
        "required: [shop_id, item]",
        "items: \"=.response.body\"",
        "effect: delete ",
    };
    CLEANUP(buf_done) struct buf out = buf_init(MANIFEST_SIZE_MAX);
    struct error error               = {};
    assert_int_equal(make(openapi, NULL, &out, &error), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!strstr(out.ptr, parts[i])) fail_msg("there is no %s in\n%s", parts[i], out.ptr);
    }
    assert_int_equal(decisions_of(&out), 5); /* three that write, and one that makes */
}

static void takes_over_what_swagger_says(void **)
{
    CLEANUP(buf_done) struct buf out = buf_init(MANIFEST_SIZE_MAX);
    struct error error               = {};
    assert_int_equal(make(swagger, NULL, &out, &error), STATUS_OK);
    assert_non_null(strstr(out.ptr, "default: \"https://shop.test/v2\""));
    assert_non_null(strstr(out.ptr, "auth: {type: basic"));
    assert_non_null(strstr(out.ptr, "      form:\n        \"item\": \"=.params.item\"\n"));
    assert_int_equal(decisions_of(&out), 3);
}

static void takes_only_the_operations_that_are_named(void **)
{
    CLEANUP(buf_done) struct buf out  = buf_init(MANIFEST_SIZE_MAX);
    CLEANUP(buf_done) struct buf more = buf_init(MANIFEST_SIZE_MAX);
    struct error error                = {};
    assert_int_equal(make(openapi, "listOrders,", &out, &error), STATUS_OK);
    assert_null(strstr(out.ptr, "create_order"));
    assert_int_equal(decisions_of(&out), 1);
    assert_int_equal(make(openapi, " createOrder, put/loop ", &more, &error), STATUS_OK);
    assert_non_null(strstr(more.ptr, "  create_order:"));
    assert_non_null(strstr(more.ptr, "  put_loop:"));
    assert_null(strstr(more.ptr, "list_orders"));
}

/* Bodies other than plain JSON: what a manifest sends is taken over, and lint asks about the rest.
 */
static void takes_over_bodies(void **)
{
    static const struct {
        const char *body, *part;
        size_t decisions; /* 0: lint asks about the form of parts */
    } rows[] = {
        {"\"image/png\":{}", "content_type: \"image/png\"\n      body_blob: content\n", 3},
        {"\"*/*;q=1\":{},\"text/plain\":{}", "      body: \"=.params.body\"\n", 3},
        {"\"application/merge-patch+json\":{\"schema\":{\"properties\":{\"a\":{}}}}",
         "content_type: \"application/merge-patch+json\"\n      body:\n        \"a\": ", 3},
        {"\"multipart/form-data\":{},\"application/vnd.x+json\":{},\"application/json\":{}",
         "      body: \"=.params.body\"\n    output", 3},
        {"\"application/x-www-form-urlencoded\":{\"schema\":{\"type\":\"object\"}}",
         "      form: \"=.params.body\"\n", 3},
        {"\"multipart/form-data\":{\"schema\":{\"properties\":{\"a\":{}}}}", "      parts: {} ", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(MANIFEST_SIZE_MAX);
        struct error error               = {};
        char text[1024];
        (void)snprintf(
            text, sizeof text,
            "{\"openapi\":\"3.1.0\",\"paths\":{\"/x\":{\"post\":{\"parameters\":[{"
            "\"in\":\"header\",\"name\":\"X-A\"},{\"in\":\"header\",\"name\":\"Accept\"},{"
            "\"in\":\"header\",\"name\":\"X-B\\n\"}],\"requestBody\":{\"content\":{%s}}}}}}",
            rows[i].body);
        assert_int_equal(make(text, NULL, &out, &error), STATUS_OK);
        if (!strstr(out.ptr, rows[i].part)) fail_msg("%s lacks %s", out.ptr, rows[i].part);
        assert_non_null(strstr(out.ptr, "as it stands: \"X-A\", \"X-B \"\n"));
        if (rows[i].decisions > 0) assert_int_equal(decisions_of(&out), rows[i].decisions);
    }
}

static void names_the_operation_that_is_not_there(void **)
{
    static const struct {
        const char *operations, *why;
    } rows[] = {
        {"list_orders", "it has no operation `list_orders`; did you mean `listOrders`?"},
        {"listOrders, creatOrder", "it has no operation `creatOrder`; did you mean `createOrder`?"},
        {"something", "it has no operation `something`"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf none = buf_init(MANIFEST_SIZE_MAX);
        struct error error                = {};
        assert_int_equal(make(openapi, rows[i].operations, &none, &error), STATUS_NOT_FOUND);
        assert_string_equal(error.text, rows[i].why);
    }
}

static void refuses_what_is_no_description(void **)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "7",
        "{\"openapi\":\"4.0\"}",
        "{\"openapi\":3}",
        "{\"swagger\":\"1.2\"}",
        "{\"openapi\":\"3.1.0\"}",
        "{\"openapi\":\"3.1.0\",\"paths\":[]}",
        "{\"openapi\":\"3.1.0\",\"paths\":{\"x\":{\"get\":{}}}}",
        "{\"openapi\":\"3.1.0\",\"paths\":{\"/x\":{\"$ref\":\"#/paths/~1x\"}}}",
        "{\"openapi\":\"3.1.0\",\"paths\":{\"/x\":{\"get\":7}}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(MANIFEST_SIZE_MAX);
        struct error error               = {};
        if (make(texts[i], NULL, &out, &error) != STATUS_INVALID_ARGUMENT) fail_msg("%s", texts[i]);
    }
}

static void bounds_what_is_written(void **)
{
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    CLEANUP(buf_done) struct buf out  = buf_init(MANIFEST_SIZE_MAX);
    CLEANUP(buf_done) struct buf none = buf_init(100);
    struct error error                = {};
    (void)buf_put_text(&text, "{\"openapi\":\"3.1.0\",\"paths\":{");
    for (size_t i = 0; i <= OPENAPI_OPERATIONS_MAX; i++) {
        (void)buf_printf(&text, "%s\"/a%zu\":{\"get\":{}}", i > 0 ? "," : "", i);
    }
    (void)buf_put_text(&text, "}}");
    (void)buf_put_byte(&text, '\0');
    assert_int_equal(make(text.ptr, NULL, &out, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(make(swagger, NULL, &none, &error), STATUS_RESOURCE_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_over_what_openapi_says),
        cmocka_unit_test(takes_over_what_swagger_says),
        cmocka_unit_test(takes_only_the_operations_that_are_named),
        cmocka_unit_test(takes_over_bodies),
        cmocka_unit_test(names_the_operation_that_is_not_there),
        cmocka_unit_test(refuses_what_is_no_description),
        cmocka_unit_test(bounds_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
