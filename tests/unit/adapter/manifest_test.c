/* What is wrong with a manifest is found where it is; what is right renders as it should. */
#include "adapter/builtin.h"
#include "adapter/example.h"

#include "base/attr.h"
#include "support/cmocka.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 32 << 20, TEXT_MAX = 8 << 10 };

/* One action that writes, one that reads, one that undoes. Rows of the tests change a line. */
static const char base[] =
    "manifest: tutti/adapter/v1\n"
    "name: shop\n"
    "version: '2.1.0'\n"
    "title: A shop\n"
    "docs: https://shop.test/docs\n"
    "config: {base_url: {type: string, default: 'https://shop.test/api/'}}\n"
    "secrets: {token: {}, hidden: {optional: true}}\n"
    "auth: {type: bearer, secret: token}\n"
    "http: {base_url: '=.config.base_url'}\n"
    "pagination: {more: {type: cursor, in: query, param: after, next: '=.response.body.next',"
    " page_size_param: limit, page_size: 50}}\n"
    "common_params: {area: {type: string, default: eu}}\n"
    "actions:\n"
    "  order:\n"
    "    summary: Order something\n"
    "    effect: create\n"
    "    params: {common: [area], properties: {item: {type: string}, note: {type: string}}, "
    "required: [item]}\n"
    "    request: {method: POST, path: '/{area}/orders', body: {item: '=.params.item', note: "
    "'=.params.note'}}\n"
    "    output: {id: '=.response.body.id'}\n"
    "    idempotency: {header: Idempotency-Key}\n"
    "    compensate: [{action: cancel, with: {id: '=.output.id'}}]\n"
    "    example: {params: {item: tea}, output: {id: '7'}}\n"
    "  cancel:\n"
    "    summary: Cancel an order\n"
    "    effect: delete\n"
    "    params: {properties: {id: {type: string}}, required: [id]}\n"
    "    request: {method: DELETE, path: '/orders/{id}'}\n"
    "    output: {}\n"
    "    idempotency: natural\n"
    "    example: {params: {id: 'a/b c'}}\n"
    "  find:\n"
    "    summary: Find orders\n"
    "    aliases: [search]\n"
    "    effect: read\n"
    "    params: {properties: {tags: {type: array}, open: {type: boolean}}}\n"
    "    request: {method: GET, path: /orders, query: {tag: '=.params.tags', open: "
    "'=.params.open'}}\n"
    "    paginate: {use: more}\n"
    "    output: {items: '=.response.body.items'}\n"
    "    example: {params: {tags: [a, 'b&c'], open: true}, response: {status: 200, headers: {}, "
    "body: {items: [{name: tea}]}}}\n";

#define BEARER "{type: bearer, secret: token}"
#define OAUTH2(more)                                                                               \
    "{type: oauth2, grant: client_credentials, token_url: 'https://id.test/t', client_id: "        \
    "shop, " more "}"
enum { AUTH_LINE = 8 };

/* `base` with `from` replaced by `to`, once. */
static void changed(const char *from, const char *to, char text[static TEXT_MAX])
{
    const char *at = strstr(base, from);
    if (!at) fail_msg("the manifest has no %s", from);
    (void)snprintf(text, TEXT_MAX, "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
}

/* Members that nothing has, at the place of their name. */
static void test_members(void **)
{
    static const struct {
        const char *from, *to;
        unsigned line, column;
        const char *detail, *hint;
    } rows[] = {
        {"'=.params.item'", "'=.params.itm'", 17, 76, "`order` has no parameter `itm`",
         "did you mean `item`?"},
        {"'=.params.item'", "'=.params | .itm'", 17, 79, "has no parameter `itm`", "`item`"},
        {"'=.params.item'", "'=.params as $p | \"a\\($p.itm)\"'", 17, 91, "`itm`", "`item`"},
        {"'=.params.item'", "'=.params.itm // \"tea\"'", 17, 76, "`itm`", "`item`"},
        {"'=.params.item'", "'=.parms.item'", 17, 69, "expressions see no `parms`", "`params`"},
        {"'=.params.item'", "'=.secrets.tokn'", 17, 69, "expressions see no `secrets`", ""},
        {"'=.params.item'", "'=.config.base_ur'", 17, 76, "no setting `base_ur`", "`base_url`"},
        {"'=.params.item'", "'=.derived.key'", 17, 77, "`derive` of `order` makes no `key`", ""},
        {"'=.params.item'", "'=.steps.one.id'", 17, 75, "`order` has no step `one`", ""},
        {"'=.params.item'", "{deep: ['=.params | {itm}']}", 17, 87, "no parameter `itm`", ""},
        {"'=.response.body.id'", "'=.response.boddy.id'", 18, 30, "`.response` has no `boddy`",
         "`body`"},
        {"'=.output.id'}}]", "'=.output.ident'}}]", 20, 56, "the output of `order` has no `ident`",
         ""},
        {"'=.config.base_url'", "'=.params.aria'", 9, 28, "no action has a parameter `aria`", ""},
        {"note: {type: string}",
         "note: {properties: {by: {type: string}}, additionalProperties: false}, "
         "sum: {default: '=.params.note.bye'}",
         16, 166, "`note` has no member `bye`", "`by`"},
    };
    size_t failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
        struct diagnostics *list                 = diagnostics_new(arena);
        struct manifest *manifest                = NULL;
        struct error error                       = {};
        char text[TEXT_MAX];
        changed(rows[i].from, rows[i].to, text);
        assert_int_equal(manifest_read(str_from(text), list, &manifest, &error),
                         STATUS_INVALID_ARGUMENT);
        const struct diagnostic *first = &list->items[0];
        if (strcmp(first->code, "M04") != 0 || !strstr(first->detail, rows[i].detail) ||
            !strstr(first->hint, rows[i].hint) || first->line != rows[i].line ||
            first->column != rows[i].column) {
            print_error("row %zu: %s %u:%u %s (%s)\n", i, first->code, first->line, first->column,
                        first->detail, first->hint);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* What cannot be told for certain is no finding. */
static void test_open_members(void **)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"'=.params.item'", "'=.response.body.whatever.there[0].is'"},
        {"'=.params.item'", "'=[.params] | map(.itm) | .[0]'"},
        {"'=.params.item'", "'=.params | .itm = 1 | .itm'"},
        {"'=.params.item'", "'=.params + {itm: 1} | .itm'"},
        {"'=.params.item'", "'=def f: .itm; {itm: 1} | f'"},
        {"'=.params.item'", "'=reduce (1, 2) as $x ({}; .itm += $x) | .itm'"},
        {"'=.params.item'", "'=.params as $p | {itm: 1} as $p | $p.itm'"},
        {"'=.params.item'", "'=.params as $p | {p: {itm: 1}} as {$p} | $p.itm'"},
        {"'=.params.item'", "'=try error({itm: 1}) catch .itm'"},
        {"'=.params.item'", "'=.params.note.anything?'"},
        {"note: {type: string}",
         "note: {properties: {by: {}}}, sum: {default: '=.params.note.bye'}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena          = arena_new(ARENA_MAX);
        CLEANUP(manifest_freep) struct manifest *manifest = NULL;
        struct diagnostics *list                          = diagnostics_new(arena);
        struct error error                                = {};
        char text[TEXT_MAX];
        changed(rows[i].from, rows[i].to, text);
        if (manifest_read(str_from(text), list, &manifest, &error) == STATUS_OK) continue;
        fail_msg("row %zu: %s", i, error.text);
    }
}

static struct manifest *read_whole(str text)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    struct manifest *manifest                = NULL;
    struct error error                       = {};
    if (manifest_read(text, list, &manifest, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    return manifest;
}

static void test_findings(void **)
{
    static const struct {
        const char *from, *to;
        const char *code;
        unsigned line;
        const char *detail;
    } rows[] = {
        {"name: shop", "name: [", "V01", 4, ""},
        {"name: shop", "name: Shop", "M02", 2, "must match the pattern"},
        {"title: A shop", "titel: A shop", "M02", 4,
         "must not have `titel`; did you mean `title`?"},
        {"effect: create", "effect: make", "M02", 15, "must be one of"},
        {"'=.params.item'", "'=.params.item +'", "M03", 17, "does not compile"},
        {"'=.params.item'", "'=$ENV.item'", "M03", 17, "does not compile"},
        {"title: A shop", "title: &shop A shop", "V01", 4, "an anchor (`&name`) is not read here"},
        {"title: A shop", "title: &shop A\naliases: [*shop]", "V01", 5, "an alias (`*name`)"},
        {"title: A shop", "title: A\naliases: &all [a]", "V01", 5, "an anchor"},
        {"title: A shop", "title: A\n<<: {aliases: [a]}", "V01", 5, "a merge key (`<<`)"},
        {"title: A shop", "title: !shop A shop", "V01", 4, "tags other than"},
        {"common: [area]", "common: [aria]", "M04", 16, "no parameter `aria` in `common_params`"},
        {"secret: token}", "secret: tokn}", "M04", 8, "there is no secret `tokn`"},
        {"action: cancel", "action: cancle", "M04", 20, "there is no action `cancle`"},
        {"with: {id:", "with: {ident:", "M04", 20, "`cancel` has no parameter `ident`"},
        {"with: {id: '=.output.id'}", "with: {}", "M05", 20, "`cancel` needs the parameter `id`"},
        {"action: cancel", "action: find", "M06", 20, "`find` only reads"},
        {"{area}", "{aera}", "M04", 17, "the path names the parameter `aera`"},
        {"'/{area}/orders'", "'/{note}/orders'", "M05", 17, "must be required or have a default"},
        {"    idempotency: natural\n", "", "M06", 23, "needs `idempotency`"},
        {"    compensate: [{action: cancel, with: {id: '=.output.id'}}]\n", "", "M06", 14,
         "must be undone"},
        {"    paginate:", "    idempotency: natural\n    paginate:", "M06", 36,
         "has no `idempotency`"},
        {"{use: more}", "{use: less}", "M04", 36, "there is no `less` in `pagination`"},
        {"title: A shop", "title: A\nrate_limit: {budgets: [{actions: [ordr], rate: 2/s}]}", "M04",
         5, "there is no action `ordr`"},
        {"title: A shop", "title: A\nrate_limit: {budgets: [{actions: [order]}]}", "M02", 5,
         "must have `rate`, or `concurrency`"},
        {"aliases: [search]", "aliases: [order]", "M04", 32, "another action has the name `order`"},
        {"{params: {item: tea}", "{params: {item: 7}", "M07", 21, "params/item must be"},
        {"output: {id: '7'}}", "output: {}}", "M07", 21, "`compensate` calls `cancel`"},
        {"{item: {type: string}", "{item: {type: strin}", "M02", 16, ""},
        {"{item: {type: string}", "{connection: {type: string}", "M02", 16, ""},
        {"{header: Idempotency-Key}", "{skip_when: '=true', output: {}}", "M06", 14, "`before`"},
        {"http: {base_url", "http: {proxy: 'http://p.test', base_url", "M02", 9, "pattern"},
        {"http: {base_url", "http: {proxy: way, base_url", "M04", 9, "`way`"},
        {"note: {type: string}", "note: {format: blob, max_size: '100'}", "M02", 16, "pattern"},
        {"note: {type: string}", "note: {format: blob, mime: text/*}", "M02", 16, "array"},
        {"note: {type: string}", "note: {properties: {a: {items: {format: file, max_size: 9}}}}",
         "M02", 16, "string"},
        {"note: {type: string}", "note: {items: {properties: {a: {format: file, mime: '*'}}}}",
         "M02", 16, "array"},
        {"note: {type: string}", "note: {items: {properties: {a: {type: string, mime: [a/b]}}}}",
         "M02", 16, "a limit of files"},
        {"note: {type: string}", "note: {max_size: 9B}", "M02", 16, "a limit of files"},
        {"note: {type: string}", "note: {items: {format: keep}}", "M02", 16, "as a whole"},
        {"note: {type: string}", "note: {items: {anyOf: [{}, {format: file}]}}", "M02", 16,
         "in `properties` and `items` only"},
        {"http: {base_url", "http: {tls: {ca: authority}, base_url", "M04", 9,
         "there is no secret `authority`"},
        {"http: {base_url", "http: {tls: {cert: token}, base_url", "M02", 9, "key"},
        {"title: A shop", "title: A shop\nimplements: memori", "M04", 5, "no such interface"},
        {"title: A shop", "title: A shop\nimplements: memory", "M04", 14,
         "has an action `remember`"},
        {"note: '=.params.note'", "note: '=\"Bearer \" + .secrets.token'", "M03", 17,
         "do not see secrets, such as `token`"},
        {"    idempotency: {header: Idempotency-Key}\n",
         "    idempotency: {lookup: [{action: find, with: {}, found: '=.output.items[0]'}]}\n",
         "M07", 21, "`found` has no `id`"},
        {"    idempotency: {header: Idempotency-Key}\n",
         "    idempotency: {lookup: [{action: find, with: {}, found: '=.output.items | keys | "
         ".[0].id'}]}"
         "\n",
         "M07", 21, "`found`: "},
        {"output: {id: '=.response.body.id'}\n",
         "output: {id: '=.response.body.id'}\n    output_schema: {properties: {id: {type: "
         "integer}}}\n",
         "M07", 22, "output/id must be"},
        {"output: {id: '=.response.body.id'}\n",
         "output: {id: '=.response.body.id'}\n    output_schema: {type: objekt}\n", "M02", 19, ""},
        {BEARER, OAUTH2("client_secret: token, client_auth: private_key_jwt"), "M02", AUTH_LINE,
         "needs `client_key`"},
        {BEARER, OAUTH2("client_key: token"), "M02", AUTH_LINE, "needs `client_secret`"},
        {BEARER, OAUTH2("client_auth: private_key_jwt, client_key: tokn"), "M04", AUTH_LINE,
         "no secret `tokn`"},
    };
    size_t failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
        struct diagnostics *list                 = diagnostics_new(arena);
        struct manifest *manifest                = NULL;
        struct error error                       = {};
        char text[TEXT_MAX];
        changed(rows[i].from, rows[i].to, text);
        status code = manifest_read(str_from(text), list, &manifest, &error);
        assert_int_equal(code, STATUS_INVALID_ARGUMENT);
        assert_null(manifest);
        assert_true(list->count > 0);
        bool is_there = false;
        for (size_t k = 0; k < list->count; k++) {
            const struct diagnostic *finding = &list->items[k];
            is_there |= strcmp(finding->code, rows[i].code) == 0 && finding->line == rows[i].line &&
                        strstr(finding->detail, rows[i].detail);
        }
        if (is_there) continue;
        const struct diagnostic *first = &list->items[0];
        print_error("row %zu: %s, line %u: %s\n", i, first->code, first->line, first->detail);
        failed++;
    }
    assert_int_equal(failed, 0);
}

#define OF_MEMORY(name, effect, params, output, more)                                              \
    "  " name ": {summary: S, effect: " effect ", params: {properties: {namespace: {}" params      \
    "}}, request: {method: PUT, path: /m}, output: {" output ": 1}, example: {params: {}}" more    \
    "}\n"

/* Actions of the interface with what all of its calls need; what some calls give is missing. */
static void test_interface_without_wishes(void **state)
{
    static const char head[] =
        "manifest: tutti/adapter/v1\nname: box\nversion: '1.0.0'\ntitle: Box\n"
        "docs: https://box.test\nimplements: memory\nspec: {npm: 'b@1', file: b}\n"
        "http: {base_url: 'https://box.test'}\nactions:\n";
    static const char remember[] =
        OF_MEMORY("remember", "update", ", key: {}, content: {}, metadata: {}, vector: {}", "id",
                  ", idempotency: natural");
    static const char others[] =
        OF_MEMORY("remember_many", "update", ", items: {}", "ids", ", idempotency: natural")
            OF_MEMORY("recall", "read",
                      ", query: {}, vector: {}, limit: {}, min_score: {}, filter: {}", "items", "")
                OF_MEMORY("get", "read", ", key: {}", "item", "")
                    OF_MEMORY("delete", "delete", ", keys: {}", "ok", ", idempotency: natural");
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    struct manifest *manifest                = NULL;
    struct error error                       = {};
    char text[TEXT_MAX];
    (void)state;
    (void)snprintf(text, sizeof text, "%s%s%s", head, remember, others);
    status code = manifest_read(str_from(text), list, &manifest, &error);
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].severity == SEVERITY_ERROR) fail_msg("%s", list->items[i].detail);
    }
    assert_int_equal(code, STATUS_OK);
    assert_int_equal(list->count, 12);
    assert_string_equal(list->items[0].code, "M04");
    assert_non_null(strstr(list->items[0].detail, "`subject`"));
    manifest_freep(&manifest);
    (void)snprintf(text, sizeof text, "%s%s", head, others);
    assert_int_equal(manifest_read(str_from(text), list, &manifest, &error),
                     STATUS_INVALID_ARGUMENT);
}

static json played(const struct manifest *manifest, const char *name, const char *params)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json given          = json_invalid();
    json value                               = json_invalid();
    struct error error                       = {};
    if (params) {
        json own = json_invalid();
        assert_int_equal(json_parse(str_from(params), NULL, &own, NULL, &error), 0);
        given = json_object_new(1);
        json_object_put_text(&given, "params", own);
    }
    if (example_play(manifest_action(manifest, str_from(name)), given, arena, &value, &error) !=
        STATUS_OK) {
        fail_msg("%s", error.text);
    }
    return value;
}

static void assert_at(json value, const char *pointer, const char *expected)
{
    json there                     = json_pointer_get(value, str_from(pointer));
    CLEANUP(json_unrefp) json text = json_to_text_new(there);
    if (strcmp(json_str(text).ptr, expected) != 0) {
        fail_msg("%s is %s, not %s", pointer, json_str(text).ptr, expected);
    }
}

static void test_requests(void **)
{
    CLEANUP(manifest_freep) struct manifest *manifest = read_whole(str_from(base));
    assert_int_equal(manifest->major, 2);

    CLEANUP(json_unrefp) json order = played(manifest, "order", NULL);
    assert_at(order, "/function", "\"shop.order:2\"");
    assert_at(order, "/requests/0/method", "\"POST\"");
    assert_at(order, "/requests/0/url", "\"https://shop.test/api/eu/orders\"");
    assert_at(order, "/requests/0/body",
              "{\"item\":\"tea\"}"); /* a note that is null is left out */
    assert_at(order, "/requests/0/headers/Authorization", "\"Bearer ***\"");
    assert_at(order, "/requests/0/headers/Content-Type", "\"application/json\"");
    json key = json_pointer_get(order, str_from("/requests/0/headers/Idempotency-Key"));
    assert_int_equal(json_str(key).len, 64);
    assert_at(order, "/compensate", "[{\"action\":\"cancel\",\"with\":{\"id\":\"7\"}}]");

    CLEANUP(json_unrefp) json cancel = played(manifest, "cancel", NULL);
    assert_at(cancel, "/requests/0/url", "\"https://shop.test/api/orders/a%2Fb%20c\"");

    CLEANUP(json_unrefp) json find = played(manifest, "search", NULL);
    assert_at(find, "/requests/0/url",
              "\"https://shop.test/api/orders?tag=a&tag=b%26c&open=true&limit=50\"");
    CLEANUP(json_unrefp) json bare = played(manifest, "find", "{}");
    assert_at(bare, "/requests/0/url", "\"https://shop.test/api/orders?limit=50\"");
}

/* A secret goes to the origin of `base_url` and nowhere else. */
static void test_origins(void **)
{
    static const struct {
        const char *url;
        bool has_secret;
    } rows[] = {
        {"https://shop.test/other", true},
        {"https://shop.test:443/x", true},
        {"https://shop.test.evil.test/api", false},
        {"http://shop.test/api", false},
        {"https://evil.test/", false},
        {"https://shop.test@evil.test/", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[TEXT_MAX];
        char request[TEXT_MAX];
        (void)snprintf(request, sizeof request, "url: '=\"%s\"'", rows[i].url);
        changed("path: '/orders/{id}'", request, text);
        CLEANUP(manifest_freep) struct manifest *manifest = read_whole(str_from(text));
        CLEANUP(json_unrefp) json cancel                  = played(manifest, "cancel", NULL);
        json secret = json_pointer_get(cancel, str_from("/requests/0/headers/Authorization"));
        assert_int_equal(!json_is(secret, JSON_INVALID), rows[i].has_secret);
    }
}

static void test_builtin(void **)
{
    assert_true(builtin_manifest_count() > 0);
    assert_int_equal(builtin_manifest_text(str_from("nosuch")).len, 0);
    for (size_t i = 0; i < builtin_manifest_count(); i++) {
        str text = builtin_manifest_text(str_from(builtin_manifest_name(i)));
        CLEANUP(manifest_freep) struct manifest *manifest = read_whole(text);
        assert_string_equal(manifest->name, builtin_manifest_name(i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_findings),     cmocka_unit_test(test_members),
        cmocka_unit_test(test_open_members), cmocka_unit_test(test_interface_without_wishes),
        cmocka_unit_test(test_requests),     cmocka_unit_test(test_origins),
        cmocka_unit_test(test_builtin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
