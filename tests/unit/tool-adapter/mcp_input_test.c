/* What servers of MCP ask people: questions that can be shown, and answers that they may have. */
#include "cmocka.h"

#include "base/attr.h"
#include "tool-adapter/peers/mcp_input.h"
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

#define ASK(params)      "{\"who\":{\"method\":\"elicitation/create\",\"params\":" params "}}"
#define FORM(properties) FORM_OF(properties, "[]")
#define FORM_OF(properties, required)                                                              \
    ASK("{\"message\":\"Hi\",\"requestedSchema\":{\"type\":\"object\",\"properties\":" properties  \
        ",\"required\":" required "}}")
#define SHOWN(properties, required)                                                                \
    "{\"type\":\"object\",\"properties\":" properties ",\"required\":" required                    \
    ",\"additionalProperties\":false}"

static const struct form_row {
    const char *name, *requests, *form;
} forms[] = {
    {"texts",
     FORM("{\"a\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":9,\"format\":\"date\",\"x\":1}"
          "}"),
     SHOWN("{\"a\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":9,\"format\":\"date\"}}",
           "[]")},
    {"an unknown format goes", FORM("{\"a\":{\"type\":\"string\",\"format\":\"regex\"}}"),
     SHOWN("{\"a\":{\"type\":\"string\"}}", "[]")},
    {"numbers", FORM("{\"a\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":2,\"default\":1}}"),
     SHOWN("{\"a\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":2,\"default\":1}}", "[]")},
    {"a default that is none goes", FORM("{\"a\":{\"type\":\"integer\",\"default\":\"x\"}}"),
     SHOWN("{\"a\":{\"type\":\"integer\"}}", "[]")},
    {"a default that does not fit goes: the field has to be given",
     FORM_OF("{\"a\":{\"type\":\"string\",\"maxLength\":2,\"default\":\"xxx\"},\"b\":{\"type\":"
             "\"array\",\"items\":{\"enum\":[\"x\"]},\"default\":[\"y\"]}}",
             "[\"a\"]"),
     SHOWN("{\"a\":{\"type\":\"string\",\"maxLength\":2},\"b\":{\"type\":\"array\",\"uniqueItems\":"
           "true,\"items\":{\"type\":\"string\",\"enum\":[\"x\"]}}}",
           "[\"a\"]")},
    {"what has a default need not be given",
     FORM_OF("{\"a\":{\"type\":\"boolean\",\"default\":false},\"b\":{\"type\":\"boolean\"}}",
             "[\"a\",\"b\",\"c\"]"),
     SHOWN("{\"a\":{\"type\":\"boolean\",\"default\":false},\"b\":{\"type\":\"boolean\"}}",
           "[\"b\"]")},
    {"choices with titles",
     FORM("{\"a\":{\"type\":\"string\",\"oneOf\":[{\"const\":\"#f\",\"title\":\"R\",\"x\":1}]}}"),
     SHOWN("{\"a\":{\"type\":\"string\",\"oneOf\":[{\"const\":\"#f\",\"title\":\"R\"}]}}", "[]")},
    {"several choices",
     FORM("{\"a\":{\"type\":\"array\",\"maxItems\":2,\"items\":{\"type\":\"string\",\"enum\":["
          "\"x\",\"y\"]}}}"),
     SHOWN("{\"a\":{\"type\":\"array\",\"maxItems\":2,\"uniqueItems\":true,\"items\":{\"type\":"
           "\"string\",\"enum\":[\"x\",\"y\"]}}}",
           "[]")},
    {"several of choices with titles",
     FORM("{\"a\":{\"type\":\"array\",\"items\":{\"anyOf\":[{\"const\":\"x\"}]}}}"),
     SHOWN("{\"a\":{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"type\":\"string\","
           "\"anyOf\":[{\"const\":\"x\"}]}}}",
           "[]")},
    {"words are cleaned",
     FORM("{\"a\":{\"type\":\"string\",\"title\":\"o\\u0000n\\u202ee\\n\\u0085!\"}}"),
     SHOWN("{\"a\":{\"type\":\"string\",\"title\":\"one !\"}}", "[]")},
};

static const struct asker_row {
    const char *name, *requests, *why;
} refused[] = {
    {"nothing", "{}", "1 to 8"},
    {"a list", "[1]", "1 to 8"},
    {"a model", "{\"m\":{\"method\":\"sampling/createMessage\",\"params\":{}}}",
     "sampling/createMessage"},
    {"no method", "{\"m\":{}}", "no method"},
    {"no message", ASK("{}"), "no message"},
    {"another mode", ASK("{\"message\":\"x\",\"mode\":\"voice\"}"), "neither"},
    {"no schema", ASK("{\"message\":\"x\"}"), "no flat schema"},
    {"an object in it", FORM("{\"deep\":{\"type\":\"object\"}}"), "`deep`"},
    {"objects in a list", FORM("{\"deep\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}"),
     "`deep`"},
    {"several types", FORM("{\"deep\":{\"type\":[\"string\",\"null\"]}}"), "`deep`"},
    {"choices that are none", FORM("{\"deep\":{\"type\":\"string\",\"enum\":[1]}}"), "`deep`"},
    {"no choice", FORM("{\"deep\":{\"type\":\"string\",\"enum\":[]}}"), "`deep`"},
    {"a choice that controls a screen",
     FORM("{\"deep\":{\"type\":\"string\",\"enum\":[\"a\\u001b[2J\"]}}"), "`deep`"},
    {"a field that does", FORM("{\"d\\u001b\":{\"type\":\"string\"}}"), "`d`"},
    {"no address", ASK("{\"message\":\"x\",\"mode\":\"url\"}"), "no address"},
    {"a script", ASK("{\"message\":\"x\",\"mode\":\"url\",\"url\":\"javascript:alert(1)\"}"),
     "no address"},
    {"a blank in it", ASK("{\"message\":\"x\",\"mode\":\"url\",\"url\":\"https://a b\"}"),
     "no address"},
    {"a name before the host",
     ASK("{\"message\":\"x\",\"mode\":\"url\",\"url\":\"https://bank.example@evil.example/\"}"),
     "no address"},
};

static void forms_are_built_anew(void **)
{
    const struct mcp_asker asker = {.server = str_from("desk")};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        CLEANUP(json_unrefp) json requests = parse(forms[i].requests);
        CLEANUP(json_unrefp) json question = json_invalid();
        print_message("%s\n", forms[i].name);
        assert_int_equal(mcp_input_question(requests, &asker, &question, NULL), STATUS_OK);
        expect(json_get_text(question, "form"), forms[i].form);
    }
}

static void what_cannot_be_asked_is_refused(void **)
{
    const struct mcp_asker asker = {.server = str_from("desk")};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        CLEANUP(json_unrefp) json requests = parse(refused[i].requests);
        CLEANUP(json_unrefp) json question = json_invalid();
        struct error why                   = {};
        print_message("%s\n", refused[i].name);
        assert_int_equal(mcp_input_question(requests, &asker, &question, &why),
                         STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(why.text, refused[i].why));
    }
}

/* `{"a0":FIELD,"a1":FIELD,...}` asked for in one form. */
static json many_new(size_t count, const char *field)
{
    json fields   = json_object_new(count);
    json schema   = json_object_new(1);
    json params   = json_object_new(2);
    json request  = json_object_new(2);
    json requests = json_object_new(1);
    for (size_t i = 0; i < count; i++) {
        CLEANUP(buf_done) struct buf name = buf_init(32);
        (void)buf_printf(&name, "a%zu", i);
        json_object_put(&fields, buf_str(&name), parse(field));
    }
    json_object_put_text(&schema, "properties", fields);
    json_object_put_text(&params, "message", json_text_from("Hi"));
    json_object_put_text(&params, "requestedSchema", schema);
    json_object_put_text(&request, "method", json_text_from("elicitation/create"));
    json_object_put_text(&request, "params", params);
    json_object_put_text(&requests, "who", request);
    return requests;
}

static void limits_hold(void **)
{
    static const char text[]     = "{\"type\":\"string\"}";
    const struct mcp_asker asker = {.server = str_from("desk")};
    for (size_t more = 0; more < 2; more++) {
        CLEANUP(json_unrefp) json requests = many_new(MCP_INPUT_FIELDS_MAX + more, text);
        CLEANUP(json_unrefp) json question = json_invalid();
        assert_int_equal(mcp_input_question(requests, &asker, &question, NULL),
                         more ? STATUS_INVALID_ARGUMENT : STATUS_OK);
    }
    CLEANUP(json_unrefp) json one       = many_new(1, text);
    CLEANUP(json_unrefp) json requests  = json_object_new(0);
    CLEANUP(json_unrefp) json question  = json_invalid();
    CLEANUP(buf_done) struct buf spoken = buf_init(2 * MCP_INPUT_MESSAGE_MAX);
    for (size_t i = 0; i < MCP_INPUTS_MAX + 1; i++) {
        char name[] = {(char)('a' + i), '\0'};
        json_object_put_text(&requests, name, json_ref(json_get_text(one, "who")));
    }
    assert_int_equal(mcp_input_question(requests, &asker, &question, NULL),
                     STATUS_INVALID_ARGUMENT);
    for (size_t i = 0; i <= MCP_INPUT_MESSAGE_MAX; i++) (void)buf_put_byte(&spoken, 'x');
    json request = json_ref(json_get_text(one, "who"));
    json params  = json_ref(json_get_text(request, "params"));
    json_object_put_text(&params, "message", json_text_new(buf_str(&spoken)));
    json_object_put_text(&request, "params", params);
    json_object_put_text(&one, "who", request);
    assert_int_equal(mcp_input_question(one, &asker, &question, NULL), STATUS_OK);
    json shown = json_get_text(json_get_text(question, "payload"), "message");
    assert_int_equal(json_str(shown).len, MCP_INPUT_MESSAGE_MAX);
}

static const struct answer_row {
    const char *name, *requests, *answer;
    const char *responses; /* NULL: it is refused */
} answers[] = {
    {"an answer with a default",
     FORM("{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"boolean\",\"default\":true}}"),
     "{\"approved\":true,\"data\":{\"a\":1}}",
     "{\"who\":{\"action\":\"accept\",\"content\":{\"a\":1,\"b\":true}}}"},
    {"nothing but defaults", FORM_OF("{\"a\":{\"type\":\"string\",\"default\":\"x\"}}", "[\"a\"]"),
     "{\"approved\":true,\"data\":null}",
     "{\"who\":{\"action\":\"accept\",\"content\":{\"a\":\"x\"}}}"},
    {"an address", ASK("{\"message\":\"x\",\"mode\":\"url\",\"url\":\"https://a.test/\"}"),
     "{\"approved\":true,\"data\":{}}", "{\"who\":{\"action\":\"accept\"}}"},
    {"declined", FORM("{}"), "{\"approved\":false,\"data\":null}",
     "{\"who\":{\"action\":\"decline\"}}"},
    {"cancelled", FORM("{}"), "{\"approved\":false,\"data\":{\"action\":\"cancel\"}}",
     "{\"who\":{\"action\":\"cancel\"}}"},
    {"one is missing", FORM_OF("{\"a\":{\"type\":\"string\"}}", "[\"a\"]"),
     "{\"approved\":true,\"data\":{}}", NULL},
    {"another type", FORM("{\"a\":{\"type\":\"string\"}}"),
     "{\"approved\":true,\"data\":{\"a\":1}}", NULL},
    {"another choice", FORM("{\"a\":{\"type\":\"string\",\"enum\":[\"x\"]}}"),
     "{\"approved\":true,\"data\":{\"a\":\"y\"}}", NULL},
    {"one too many", FORM("{}"), "{\"approved\":true,\"data\":{\"a\":\"y\"}}", NULL},
    {"no date", FORM("{\"a\":{\"type\":\"string\",\"format\":\"date\"}}"),
     "{\"approved\":true,\"data\":{\"a\":\"y\"}}", NULL},
};

static void answers_fit_or_are_refused(void **)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        CLEANUP(json_unrefp) json requests  = parse(answers[i].requests);
        CLEANUP(json_unrefp) json answer    = parse(answers[i].answer);
        CLEANUP(json_unrefp) json responses = json_invalid();
        status expected = answers[i].responses ? STATUS_OK : STATUS_INVALID_ARGUMENT;
        print_message("%s\n", answers[i].name);
        assert_int_equal(mcp_input_responses(requests, answer, &responses, NULL), expected);
        if (answers[i].responses) expect(responses, answers[i].responses);
    }
}

static void an_address_is_shown_with_its_host(void **)
{
    static const struct {
        const char *url, *payload;
    } rows[] = {
        {"https://id.a.test/x?y=1",
         "{\"server\":\"desk\",\"message\":\"Hi\",\"mode\":\"url\",\"url\":"
         "\"https://id.a.test/x?y=1\",\"host\":\"id.a.test\"}"},
        {"https://id.XN--a.test/",
         "{\"server\":\"desk\",\"message\":\"Hi\",\"mode\":\"url\",\"url\":\"https://id.XN--a.test/"
         "\","
         "\"host\":\"id.XN--a.test\",\"warning\":\"the host's name stands for other letters "
         "(Punycode)\"}"},
        {"https://a-xn--b.test/",
         "{\"server\":\"desk\",\"message\":\"Hi\",\"mode\":\"url\",\"url\":"
         "\"https://a-xn--b.test/\",\"host\":\"a-xn--b.test\"}"},
    };
    const struct mcp_asker asker = {.server = str_from("desk")};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp)
        json requests                      = parse(ASK("{\"message\":\"Hi\",\"mode\":\"url\"}"));
        CLEANUP(json_unrefp) json question = json_invalid();
        json request                       = json_ref(json_get_text(requests, "who"));
        json params                        = json_ref(json_get_text(request, "params"));
        json_object_put_text(&params, "url", json_text_from(rows[i].url));
        json_object_put_text(&request, "params", params);
        json_object_put_text(&requests, "who", request);
        assert_int_equal(mcp_input_question(requests, &asker, &question, NULL), STATUS_OK);
        expect(json_get_text(question, "payload"), rows[i].payload);
    }
}

static void a_sentence_says_what_is_asked(void **)
{
    CLEANUP(json_unrefp)
    json result                     = parse("{\"inputRequests\":" FORM(
                            "{}") ",\"requestState\":\" s \",\"resultType\":\"input_required\"}");
    CLEANUP(json_unrefp) json none  = parse("{\"inputRequests\":7}");
    struct error why                = {};
    CLEANUP(json_unrefp) json asked = mcp_input_asked_new(result, &why);
    assert_string_equal(why.text, "the server asks for input: Hi");
    expect(json_get_text(asked, "state"), "\" s \"");
    CLEANUP(json_unrefp) json empty = mcp_input_asked_new(none, &why);
    assert_non_null(strstr(why.text, "1 to 8"));
    expect(empty, "{\"requests\":{}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_built_anew),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(answers_fit_or_are_refused),
        cmocka_unit_test(an_address_is_shown_with_its_host),
        cmocka_unit_test(a_sentence_says_what_is_asked),
    };
    return cmocka_run_group_tests_name("mcp_input", tests, NULL, NULL);
}
