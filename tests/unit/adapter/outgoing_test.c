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
    "config: {site: {type: string}}\n"
    "secrets: {token: {}}\n"
    "auth: {type: bearer, secret: token}\n"
    "http: {base_url: '=\"https://\" + .config.site'}\n"
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
    "    example: {config: {site: shop.test}, params: {a: x}}\n"
    "  go:\n"
    "    summary: Go where it says\n"
    "    effect: read\n"
    "    params: {properties: {to: {type: string}, q: {}}, required: [to]}\n"
    "    request: {method: GET, url: '=.params.to', query: {q: '=.params.q'}}\n"
    "    output: {}\n"
    "    example: {config: {site: shop.test}, params: {to: /x}}\n";

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

static status find_token(const char *, str *ret_value, struct error *, void *)
{
    *ret_value = str_from("s3cret");
    return STATUS_OK;
}

/* With a parameter, which is taken; `site` NULL: it is not set. */
static status render_action(struct shop *shop, size_t index, const char *site, const char *name,
                            json value)
{
    const struct manifest_action *action = &shop->manifest->actions[index];
    CLEANUP(json_unrefp) json scope      = json_object_new(2);
    json params                          = json_object_new(1);
    json config                          = json_object_new(1);
    json_object_put_text(&params, name, value);
    json_object_put_text(&scope, "params", params);
    if (site) json_object_put_text(&config, "site", json_text_from(site));
    json_object_put_text(&scope, "config", config);
    const struct secret_source secrets  = {.find = find_token};
    const struct outgoing_source source = {.action     = action,
                                           .step       = action->steps,
                                           .scope      = scope,
                                           .secrets    = &secrets,
                                           .arena      = shop->arena,
                                           .connection = "corner"};
    return outgoing_render(&source, &shop->outgoing, &shop->error);
}

static status render_with(struct shop *shop, const char *name, json value)
{
    return render_action(shop, 0, "shop.test", name, value);
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

static bool has_token(const struct outgoing *outgoing)
{
    for (size_t i = 0; i < outgoing->header_count; i++) {
        if (str_is(outgoing->headers[i].value, "Bearer s3cret")) return true;
    }
    return false;
}

/* Below the base, there, or elsewhere; the token goes to the base's origin alone. */
static void addresses_are_written(void **)
{
    static const struct {
        const char *site, *to, *url;
        bool has_token;
    } rows[] = {
        {"shop.test", "/x", "https://shop.test/x", true},
        {"shop.test/api/", "/x?a=1", "https://shop.test/api/x?a=1", true},
        {"shop.test", "https://shop.test/y", "https://shop.test/y", true},
        {"shop.test", "https://SHOP.test:443/y", "https://SHOP.test:443/y", true},
        {"shop.test", "https://shop.test:8443/y", "https://shop.test:8443/y", false},
        {"shop.test", "http://shop.test/y", "http://shop.test/y", false},
        {"shop.test", "https://other.test/y#part", "https://other.test/y", false},
        {NULL, "https://other.test/y", "https://other.test/y", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(shop_done) struct shop shop = {};
        shop_open(&shop);
        status code = render_action(&shop, 1, rows[i].site, "to", json_text_from(rows[i].to));
        if (code != STATUS_OK) fail_msg("row %zu: %s", i, shop.error.text);
        if (!str_is(shop.outgoing.url, rows[i].url) ||
            has_token(&shop.outgoing) != rows[i].has_token) {
            fail_msg("row %zu: " STR_FMT, i, STR_ARG(shop.outgoing.url));
        }
    }
}

static void a_setting_that_is_missing_is_named(void **)
{
    for (size_t action = 0; action < 2; action++) {
        CLEANUP(shop_done) struct shop shop = {};
        shop_open(&shop);
        assert_int_equal(render_action(&shop, action, NULL, "to", json_text_from("/x")),
                         STATUS_FAILED_PRECONDITION);
        assert_string_equal(
            shop.error.text,
            "the connection `corner` lacks the setting `site`: tools.connections.corner.config");
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
        cmocka_unit_test(addresses_are_written),
        cmocka_unit_test(a_setting_that_is_missing_is_named),
        cmocka_unit_test(a_form_has_a_limit),
        cmocka_unit_test(what_is_too_long_is_called_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
