/* A manifest of tests, with every kind of thing that deciding code looks at. */
#ifndef TEST_LEDGER_H
#define TEST_LEDGER_H

#include "cmocka.h"

#include "adapter/scope.h"
#include "base/arena.h"
#include "json/json_text.h"

static const char ledger_text[] =
    "manifest: tutti/adapter/v1\n"
    "name: ledger\n"
    "version: \"1.2.0\"\n"
    "title: Ledger\n"
    "docs: https://ledger.test/docs\n"
    "config: {base_url: {type: string, default: \"https://ledger.test\"}}\n"
    "secrets: {key: {description: a key}, second: {description: another, optional: true}}\n"
    "auth: {type: bearer, secret: key}\n"
    "http: {base_url: \"=.config.base_url\"}\n"
    "errors:\n"
    "  - {when: '=.response.status == 403 and .response.headers[\"x-left\"] == \"0\"', class: "
    "throttled}\n"
    "  - {when: '=.response.status == 529', class: throttled}\n"
    "error_message: \"=.response.body.error\"\n"
    "rate_limit: {remaining: x-left, reset: {header: x-reset, format: epoch_seconds}, retry_after: "
    "{header: retry-after}}\n"
    "pagination:\n"
    "  link: {type: link_header, max_pages: 3}\n"
    "  url: {type: next_url, next: \"=.response.body.next\"}\n"
    "  cursor: {type: cursor, in: query, param: after, next: \"=.response.body.next\"}\n"
    "  offset: {type: offset, in: query, param: from, page_size_param: n, page_size: 2}\n"
    "actions:\n"
    "  book:\n"
    "    summary: Books\n"
    "    effect: create\n"
    "    params: {properties: {text: {type: string}, by: {type: string, default: "
    "\"=.params.text\"},"
    " size: {type: integer, default: 3}}, required: [text, by]}\n"
    "    request: {method: POST, path: /entries, body: {text: \"=.params.text\"}}\n"
    "    output: \"={id: .response.body.id}\"\n" /* it may have more, as far as lint knows */
    "    idempotency: none\n"
    "    compensate:\n"
    "      - {if: \"=.output.id != null\", action: remove, with: {id: \"=.output.id\"}}\n"
    "      - {if: \"=.output.many != null\", each: \"=.output.many\", action: remove, with: {id: "
    "\"=.item\"}}\n"
    "      - {if: \"=.output.odd != null\", action: remove, with: {id: \"=.output.odd | error\"}}\n"
    "    example: {params: {text: a}, output: {id: \"1\"}}\n"
    "  stepped:\n"
    "    summary: Books in steps\n"
    "    effect: create\n"
    "    params: {properties: {}}\n"
    "    steps:\n"
    "      - id: one\n"
    "        request: {method: POST, path: /entries}\n"
    "        output: {ids: \"=.response.body.ids\"}\n"
    "        compensate: [{each: \"=.steps.one.ids\", action: remove, with: {id: \"=.item\"}}]\n"
    "    output: {}\n"
    "    idempotency: none\n"
    "    example: {params: {}, steps: {one: {ids: [\"1\"]}}}\n"
    "  keyed:\n"
    "    summary: Books under a key\n"
    "    effect: create\n"
    "    irreversible: it stays\n"
    "    params: {properties: {}}\n"
    "    request: {method: POST, path: /entries}\n"
    "    output: {}\n"
    "    idempotency: {header: Idempotency-Key, ttl: 1h}\n"
    "    example: {params: {}}\n"
    "  found:\n"
    "    summary: Books, and can be found\n"
    "    effect: create\n"
    "    irreversible: it stays\n"
    "    params: {properties: {}}\n"
    "    request: {method: POST, path: /entries}\n"
    "    output: {id: \"=.response.body.id\"}\n"
    "    idempotency: {lookup: [{action: linked, with: {}, found: \"=.output.items[0]\"}]}\n"
    "    example: {params: {}}\n"
    "  compared:\n"
    "    summary: Writes what can be read\n"
    "    effect: update\n"
    "    params: {properties: {}}\n"
    "    before: {action: linked, with: {}}\n"
    "    request: {method: PUT, path: /entries}\n"
    "    output: {}\n"
    "    idempotency: {skip_when: \"=.current.items == []\", output: {}}\n"
    "    example: {params: {}, before: {items: []}}\n"
    "  varied:\n"
    "    summary: Once, or not\n"
    "    effect: send\n"
    "    irreversible: it is sent\n"
    "    params: {properties: {safe: {type: boolean, default: false}}}\n"
    "    request: {method: POST, path: /send}\n"
    "    output: {}\n"
    "    idempotency: '=if .params.safe then \"natural\" else \"none\" end'\n"
    "    example: {params: {}}\n"
    "  remove:\n"
    "    summary: Removes\n"
    "    effect: delete\n"
    "    params: {properties: {id: {type: string}}, required: [id]}\n"
    "    request: {method: DELETE, path: \"/entries/{id}\"}\n"
    "    output: {}\n"
    "    idempotency: natural\n"
    "    example: {params: {id: a}}\n"
    "  linked:\n"
    "    summary: Lists\n"
    "    effect: read\n"
    "    params: {properties: {most: {type: integer}}}\n"
    "    request: {method: GET, path: /entries}\n"
    "    paginate: {use: link, max_items: \"=.params.most\"}\n"
    "    output: {items: \"=.response.body.items\", total: \"=.response.body.total\"}\n"
    "    example: {params: {}}\n"
    "  by_url:\n"
    "    summary: Lists\n"
    "    effect: read\n"
    "    params: {properties: {}}\n"
    "    request: {method: GET, path: /entries}\n"
    "    paginate: {use: url}\n"
    "    output: {items: \"=.response.body.items\"}\n"
    "    example: {params: {}}\n"
    "  by_cursor:\n"
    "    summary: Lists\n"
    "    effect: read\n"
    "    params: {properties: {}}\n"
    "    request: {method: GET, path: /entries}\n"
    "    paginate: {use: cursor}\n"
    "    output: {items: \"=.response.body.items\"}\n"
    "    example: {params: {}}\n"
    "  by_offset:\n"
    "    summary: Lists\n"
    "    effect: read\n"
    "    params: {properties: {}}\n"
    "    request: {method: GET, path: /entries}\n"
    "    paginate: {use: offset}\n"
    "    output: {items: \"=.response.body.items\"}\n"
    "    example: {params: {}}\n"
    "  asked:\n"
    "    summary: Asks in GraphQL\n"
    "    effect: read\n"
    "    params: {properties: {}}\n"
    "    request: {graphql: \"query { me }\", variables: {}}\n"
    "    output: {me: \"=.response.body.data.me\"}\n"
    "    example: {params: {}}\n";

struct ledger {
    struct arena *arena;
    struct manifest *manifest;
};

static inline void ledger_init(struct ledger *ledger)
{
    struct error error       = {};
    ledger->arena            = arena_new(64 << 20);
    ledger->manifest         = NULL;
    struct diagnostics *list = diagnostics_new(ledger->arena);
    if (manifest_read(str_from(ledger_text), list, &ledger->manifest, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
}

static inline void ledger_done(struct ledger *ledger)
{
    manifest_free(ledger->manifest);
    arena_free(ledger->arena);
}

static inline const struct manifest_action *ledger_action(const struct ledger *ledger,
                                                          const char *name)
{
    const struct manifest_action *action = manifest_action(ledger->manifest, str_from(name));
    assert_non_null(action);
    return action;
}

static inline json parsed(const char *text)
{
    json value         = json_invalid();
    struct error error = {};
    if (json_parse(str_from(text), NULL, &value, NULL, &error) != STATUS_OK) {
        fail_msg("%s: %s", text, error.text);
    }
    return value;
}

static inline void assert_json(json value, const char *text)
{
    CLEANUP(json_unrefp) json wanted = parsed(text);
    CLEANUP(json_unrefp) json shown  = json_to_text_new(value);
    if (!json_equal(value, wanted)) fail_msg("%s, not %s", json_str(shown).ptr, text);
}

/* A scope of a call, with `more` members. */
static inline json scope_of(const struct ledger *ledger, const struct manifest_action *action,
                            const char *params, const char *more)
{
    CLEANUP(json_unrefp) json given    = parsed(params);
    CLEANUP(json_unrefp) json rest     = parsed(more);
    json scope                         = json_invalid();
    struct error error                 = {};
    const struct scope_options options = {.params          = given,
                                          .idempotency_key = str_from("key"),
                                          .created_us      = INT64_C(1'767'225'600'000'000),
                                          .arena           = ledger->arena};
    if (scope_new(action, &options, &scope, &error) != STATUS_OK) fail_msg("%s", error.text);
    for (size_t i = 0; i < json_count(rest); i++) {
        scope_put(&scope, json_key_at(rest, i).ptr, json_ref(json_value_at(rest, i)));
    }
    return scope;
}

#endif
