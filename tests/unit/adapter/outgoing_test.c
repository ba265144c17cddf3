/* Values of forms, queries and headers: how they are written, and where that ends. */
#include "adapter/outgoing.h"

#include "base/attr.h"
#include "support/cmocka.h"
#include "json/json_text.h"

#include <string.h>

enum { ARENA_MAX = 64 << 20 };

static const char manifest_text[] =
    "manifest: tutti/adapter/v1\n"
    "name: shop\n"
    "version: '1.0.0'\n"
    "title: A shop\n"
    "docs: https://shop.test/docs\n"
    "http: {base_url: 'https://shop.test'}\n"
    "actions:\n"
    "  tell:\n"
    "    summary: Tell it\n"
    "    effect: send\n"
    "    irreversible: it is told\n"
    "    idempotency: natural\n"
    "    params: {properties: {a: {}, q: {}, h: {}}}\n"
    "    request: {method: POST, path: '/x', form: {a: '=.params.a'}, query: {q: '=.params.q'},"
    " headers: {H: '=.params.h'}}\n"
    "    output: {}\n"
    "    example: {params: {a: x}}\n";

struct shop {
    struct arena *arena;
    struct manifest *manifest;
    struct outgoing outgoing;
    struct error error;
};

static void shop_done(struct shop *shop)
{
    manifest_free(shop->manifest);
    arena_free(shop->arena);
}

static void shop_open(struct shop *shop)
{
    *shop                    = (struct shop){.arena = arena_new(ARENA_MAX)};
    struct diagnostics *list = diagnostics_new(shop->arena);
    assert_int_equal(manifest_read(str_from(manifest_text), list, &shop->manifest, &shop->error),
                     STATUS_OK);
}

/* With a parameter, which is taken. */
static status render_with(struct shop *shop, const char *name, json value)
{
    const struct manifest_action *action = &shop->manifest->actions[0];
    CLEANUP(json_unrefp) json scope      = json_object_new(1);
    json params                          = json_object_new(1);
    json_object_put_text(&params, name, value);
    json_object_put_text(&scope, "params", params);
    const struct secret_source secrets  = {};
    const struct outgoing_source source = {.action  = action,
                                           .step    = action->steps,
                                           .scope   = scope,
                                           .secrets = &secrets,
                                           .arena   = shop->arena};
    return outgoing_render(&source, &shop->outgoing, &shop->error);
}

static status render(struct shop *shop, json a)
{
    return render_with(shop, "a", a);
}

static void values_are_written(void **)
{
    static const struct {
        const char *a, *body;
    } rows[] = {
        {"\"x y&\"", "a=x%20y%26"},
        {"[1,true,null]", "a%5B%5D=1&a%5B%5D=true"},
        {"{\"b\":{\"c\":1.5},\"d\":\"\"}", "a%5Bb%5D%5Bc%5D=1.5&a%5Bd%5D="},
        {"null", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(shop_done) struct shop shop = {};
        json a                              = json_invalid();
        shop_open(&shop);
        assert_int_equal(json_parse(str_from(rows[i].a), NULL, &a, NULL, NULL), STATUS_OK);
        assert_int_equal(render(&shop, a), STATUS_OK);
        if (!str_is(shop.outgoing.body, rows[i].body)) {
            fail_msg("%s: " STR_FMT, rows[i].a, STR_ARG(shop.outgoing.body));
        }
    }
}

static json letters_new(size_t count)
{
    CLEANUP(buf_done) struct buf text = buf_init(count);
    memset(buf_reserve(&text, count), 'x', count);
    buf_commit(&text, count);
    return json_text_new(buf_str(&text));
}

/* None of it is left out silently. */
static void a_form_has_a_limit(void **)
{
    enum { NAME = 2 /* a= */ };
    static const struct {
        size_t letters;
        status code;
    } rows[] = {
        {OUTGOING_BODY_MAX - NAME, STATUS_OK},
        {OUTGOING_BODY_MAX - NAME + 1, STATUS_RESOURCE_EXHAUSTED},
        {OUTGOING_BODY_MAX + 1, STATUS_RESOURCE_EXHAUSTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(shop_done) struct shop shop = {};
        shop_open(&shop);
        assert_int_equal(render(&shop, letters_new(rows[i].letters)), rows[i].code);
        if (rows[i].code == STATUS_OK) assert_int_equal(shop.outgoing.body.len, OUTGOING_BODY_MAX);
    }
    CLEANUP(shop_done) struct shop shop = {};
    json deep                           = json_int(1);
    shop_open(&shop);
    for (int i = 0; i < 20; i++) {
        json list = json_array_new(1);
        json_array_push(&list, deep);
        deep = list;
    }
    assert_int_equal(render(&shop, deep), STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(shop.error.text, "the form is too deep"));
}

static void what_is_too_long_is_called_so(void **)
{
    static const struct {
        const char *name, *why;
    } rows[] = {{"q", "the address is too long"}, {"h", "the request is too large"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(shop_done) struct shop shop = {};
        shop_open(&shop);
        assert_int_equal(render_with(&shop, rows[i].name, letters_new(OUTGOING_URL_MAX + 1)),
                         STATUS_RESOURCE_EXHAUSTED);
        assert_string_equal(shop.error.text, rows[i].why);
        assert_int_equal(render_with(&shop, rows[i].name, json_object_new(0)),
                         STATUS_INVALID_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_written),
        cmocka_unit_test(a_form_has_a_limit),
        cmocka_unit_test(what_is_too_long_is_called_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
