/* What servers of MCP of the older era ask while they are called: what they hear at once, what is
 * wanted of a person in the end, and what was said before. */
#include "cmocka.h"

#include "base/attr.h"
#include "tool-adapter/peers/mcp_inquiry.h"
#include "tool-adapter/peers/mcp_wanted.h"
#include "json/json_text.h"

#include <string.h>

enum { TEXT_MAX = 1 << 20 };

static json parse(const char *text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

static void expect(json value, const char *expected)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    assert_true(json_print(value, JSON_COMPACT, &text) && buf_put_byte(&text, '\0'));
    assert_string_equal(text.ptr, expected);
}

#define ADDRESS(url)  "{\"mode\":\"url\",\"message\":\"Sign in\",\"url\":\"" url "\"}"
#define FORM          "{\"message\":\"Who?\",\"requestedSchema\":{\"properties\":{}}}"
#define ASKS(params)  "{\"id\":7,\"method\":\"elicitation/create\",\"params\":" params "}"
#define CANCEL        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"action\":\"cancel\"}}"
#define WANTS(params) "{\"input\":{\"method\":\"elicitation/create\",\"params\":" params "}}"
#define REFUSAL(code) "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":" code ",\"message\":"

static const struct answer_row {
    const char *name;
    enum mcp_offer offer;
    const char *message, *answer;
    const char *wanted; /* NULL: nothing */
} answers[] = {
    {"a ping", MCP_OFFERS_NOTHING, "{\"id\":\"x\",\"method\":\"ping\"}",
     "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{}}", NULL},
    {"a model", MCP_OFFERS_ADDRESSES, "{\"id\":7,\"method\":\"sampling/createMessage\"}",
     REFUSAL("-32601") "\"This client offers nothing of the kind\"}}", NULL},
    {"a form that was not offered", MCP_OFFERS_NOTHING, ASKS(FORM),
     REFUSAL("-32601") "\"This client offers nothing of the kind\"}}", NULL},
    {"a form", MCP_OFFERS_FORMS, ASKS(FORM), CANCEL, WANTS(FORM)},
    {"an address of a revision without", MCP_OFFERS_FORMS, ASKS(ADDRESS("https://a.test/")),
     REFUSAL("-32602") "\"This client does not ask in this mode\"}}", NULL},
    {"an address", MCP_OFFERS_ADDRESSES, ASKS(ADDRESS("https://a.test/")), CANCEL,
     WANTS(ADDRESS("https://a.test/"))},
    {"another mode", MCP_OFFERS_ADDRESSES, ASKS("{\"mode\":7,\"message\":\"Who?\"}"),
     REFUSAL("-32602") "\"This client does not ask in this mode\"}}", NULL},
    {"no params", MCP_OFFERS_FORMS, "{\"id\":7,\"method\":\"elicitation/create\"}",
     REFUSAL("-32602") "\"This client does not ask in this mode\"}}", NULL},
    {"params that are none", MCP_OFFERS_ADDRESSES, ASKS("[7]"),
     REFUSAL("-32602") "\"This client does not ask in this mode\"}}", NULL},
    {"a method that is none", MCP_OFFERS_ADDRESSES, "{\"id\":7,\"method\":{}}",
     REFUSAL("-32601") "\"This client offers nothing of the kind\"}}", NULL},
};

static void requests_are_answered_at_once(void **)
{
    const struct mcp_handlers nobody = {};
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        const struct answer_row *row                      = &answers[i];
        CLEANUP(mcp_wanted_done) struct mcp_wanted wanted = {};
        CLEANUP(json_unrefp) json message                 = parse(row->message);
        CLEANUP(json_unrefp)
        json answer = mcp_wanted_answer(&wanted, message, row->offer, &nobody);
        print_message("%s\n", row->name);
        expect(answer, row->answer);
        assert_int_equal(json_is(wanted.requests, JSON_OBJECT), row->wanted != NULL);
        if (row->wanted) expect(wanted.requests, row->wanted);
    }
}

static void what_no_call_asks_for_is_cancelled(void **)
{
    CLEANUP(json_unrefp) json message = parse(ASKS(FORM));
    CLEANUP(json_unrefp)
    json answer = mcp_wanted_answer(NULL, message, MCP_OFFERS_ADDRESSES, NULL);
    expect(answer, CANCEL);
}

static void the_first_thing_is_what_is_wanted(void **)
{
    const struct mcp_handlers nobody                  = {};
    struct mcp_result result                          = {.http_status = 200};
    CLEANUP(mcp_wanted_done) struct mcp_wanted wanted = {};
    CLEANUP(json_unrefp) json form                    = parse(ASKS(FORM));
    CLEANUP(json_unrefp) json address                 = parse(ASKS(ADDRESS("https://a.test/")));
    CLEANUP(json_unrefp) json asked                   = json_invalid();
    CLEANUP(json_unrefp) json answer                  = parse("{\"content\":[]}");
    json_unref(mcp_wanted_answer(&wanted, form, MCP_OFFERS_ADDRESSES, &nobody));
    json_unref(mcp_wanted_answer(&wanted, address, MCP_OFFERS_ADDRESSES, &nobody));
    result.result = answer;
    mcp_wanted_settle(&wanted, MCP_OFFERS_ADDRESSES, &nobody, &result, &asked);
    assert_int_equal(result.code, STATUS_FAILED_PRECONDITION);
    assert_true(json_is(result.result, JSON_INVALID) && result.was_sent);
    assert_string_equal(result.why.text, "the server asks for input: Who?");
    expect(result.asked, "{\"requests\":" WANTS(FORM) ",\"replay\":true}");
}

/* --- what was said before --------------------------------------------------------------------- */

#define AGREED                 "{\"action\":\"accept\"}"
#define REFUSED                "{\"action\":\"decline\"}"
#define SAID(params, response) "{\"request\":" params ",\"response\":" response "}"

static json on_asked(json params, void *context)
{
    return mcp_replay_answer(context, params);
}

static const struct replay_row {
    const char *name, *answered;
    const char *asked; /* in this order */
    const char *said;
} replays[] = {
    {"nothing", "[]", "[" FORM "]", "[null]"},
    {"the n-th time by the n-th answer", "[" SAID(FORM, AGREED) "," SAID(FORM, REFUSED) "]",
     "[" FORM "," FORM "," FORM "]", "[" AGREED "," REFUSED ",null]"},
    {"other words", "[" SAID(FORM, AGREED) "]", "[{\"message\":\"What?\"}]", "[null]"},
    {"the address that was agreed to", "[" SAID(ADDRESS("https://a.test/1"), AGREED) "]",
     "[" ADDRESS("https://a.test/1") "]", "[" AGREED "]"},
    {"another one", "[" SAID(ADDRESS("https://a.test/1"), AGREED) "]",
     "[" ADDRESS("https://a.test/2") "]", "[null]"},
    {"a refusal is one of any address", "[" SAID(ADDRESS("https://a.test/1"), REFUSED) "]",
     "[" ADDRESS("https://a.test/2") "]", "[" REFUSED "]"},
};

static void replays_answer_what_was_answered(void **)
{
    for (size_t i = 0; i < ARRAY_LEN(replays); i++) {
        struct mcp_replay replay        = {.answered = parse(replays[i].answered)};
        CLEANUP(json_unrefp) json asked = parse(replays[i].asked);
        CLEANUP(json_unrefp) json said  = json_array_new(4);
        print_message("%s\n", replays[i].name);
        for (size_t k = 0; k < json_count(asked); k++) {
            json response = mcp_replay_answer(&replay, json_at(asked, k));
            json_array_push(&said, json_is(response, JSON_OBJECT) ? response : json_null());
        }
        expect(said, replays[i].said);
        mcp_replay_done(&replay);
    }
}

#define NEEDS(list)                                                                                \
    "{\"code\":-32042,\"message\":\"More is needed\",\"data\":{\"elicitations\":" list "}}"
#define FIRST  ADDRESS("https://a.test/1")
#define SECOND ADDRESS("https://a.test/2")

static const struct refusal_row {
    const char *name;
    enum mcp_offer offer;
    const char *error, *answered;
    const char *wanted; /* NULL: the error stays */
} refusals[] = {
    {"one address", MCP_OFFERS_ADDRESSES, NEEDS("[" FIRST "]"), "[]",
     "{\"requests\":{\"address-1\":{\"method\":\"elicitation/create\",\"params\":" FIRST
     "}},\"replay\":true}"},
    {"two", MCP_OFFERS_ADDRESSES, NEEDS("[" FIRST "," SECOND "]"), "[]",
     "{\"requests\":{\"address-1\":{\"method\":\"elicitation/create\",\"params\":" FIRST
     "},\"address-2\":{\"method\":\"elicitation/create\",\"params\":" SECOND "}},\"replay\":true}"},
    {"agreed to, and still needed", MCP_OFFERS_ADDRESSES, NEEDS("[" FIRST "]"),
     "[" SAID(FIRST, AGREED) "]",
     "{\"requests\":{\"address-1\":{\"method\":\"elicitation/create\",\"params\":" FIRST
     "}},\"replay\":true}"},
    {"refused", MCP_OFFERS_ADDRESSES, NEEDS("[" FIRST "]"), "[" SAID(FIRST, REFUSED) "]", NULL},
    {"refused the second time, under another address", MCP_OFFERS_ADDRESSES, NEEDS("[" SECOND "]"),
     "[" SAID(SECOND, AGREED) "," SAID(FIRST, REFUSED) "]", NULL},
    {"to nobody whom it was offered", MCP_OFFERS_FORMS, NEEDS("[" FIRST "]"), "[]", NULL},
    {"none", MCP_OFFERS_ADDRESSES, NEEDS("[]"), "[]", NULL},
    {"too many", MCP_OFFERS_ADDRESSES, NEEDS("[1,2,3,4,5,6,7,8,9]"), "[]", NULL},
    {"a form", MCP_OFFERS_ADDRESSES, NEEDS("[" FORM "]"), "[]", NULL},
    {"another error", MCP_OFFERS_ADDRESSES, "{\"code\":-32602,\"message\":\"No\"}", "[]", NULL},
};

static void a_call_may_be_refused_until_addresses_are_open(void **)
{
    const struct mcp_wanted nothing = {};
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal_row *row      = &refusals[i];
        struct mcp_replay replay           = {.answered = parse(row->answered)};
        const struct mcp_handlers handlers = {.answer = on_asked, .context = &replay};
        CLEANUP(json_unrefp) json error    = parse(row->error);
        CLEANUP(json_unrefp) json asked    = json_invalid();
        struct mcp_result result           = {.error = error};
        print_message("%s\n", row->name);
        mcp_wanted_settle(&nothing, row->offer, &handlers, &result, &asked);
        assert_int_equal(result.code, row->wanted ? STATUS_FAILED_PRECONDITION : STATUS_OK);
        assert_int_equal(json_is(result.error, JSON_OBJECT), row->wanted == NULL);
        if (row->wanted) expect(asked, row->wanted);
        mcp_replay_done(&replay);
    }
}

static void revisions_differ_in_what_they_ask(void **)
{
    assert_int_equal(mcp_offer_of("2025-03-26", true), MCP_OFFERS_NOTHING);
    assert_int_equal(mcp_offer_of("2025-06-18", true), MCP_OFFERS_FORMS);
    assert_int_equal(mcp_offer_of("2025-11-25", true), MCP_OFFERS_ADDRESSES);
    assert_int_equal(mcp_offer_of("2026-07-28", true), MCP_OFFERS_ADDRESSES);
    assert_int_equal(mcp_offer_of("2025-11-25", false), MCP_OFFERS_NOTHING);
    assert_int_equal(mcp_offer_of(NULL, true), MCP_OFFERS_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered_at_once),
        cmocka_unit_test(what_no_call_asks_for_is_cancelled),
        cmocka_unit_test(the_first_thing_is_what_is_wanted),
        cmocka_unit_test(replays_answer_what_was_answered),
        cmocka_unit_test(a_call_may_be_refused_until_addresses_are_open),
        cmocka_unit_test(revisions_differ_in_what_they_ask),
    };
    return cmocka_run_group_tests_name("mcp_wanted", tests, NULL, NULL);
}
