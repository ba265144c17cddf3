#include "tool-adapter/peers/mcp_inquiry.h"

#include "base/attr.h"

bool mcp_inquiry_is_wanted(json setting)
{
    return !json_is(setting, JSON_TEXT) || !str_is(json_str(setting), "refuse");
}

status mcp_inquiry_check(json setting, struct error *reterr)
{
    static const char *const known[] = {"ask", "refuse"};
    if (json_is(setting, JSON_INVALID)) return STATUS_OK;
    for (size_t i = 0; json_is(setting, JSON_TEXT) && i < ARRAY_LEN(known); i++) {
        if (str_is(json_str(setting), known[i])) return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT, "/transport/options/input: one of ask, refuse");
}

status mcp_inquiry_input(const struct respondent *respondent, json *ret_input, struct error *reterr)
{
    json responses = json_invalid();
    if (!respondent || !json_is(respondent->asked, JSON_OBJECT)) return STATUS_OK;
    if (!json_is(respondent->answer, JSON_OBJECT)) return STATUS_OK;
    TRY(mcp_input_responses(json_get_text(respondent->asked, "requests"), respondent->answer,
                            &responses, reterr));
    json state = json_get_text(respondent->asked, "state");
    *ret_input = json_object_new(3);
    json_object_put_text(ret_input, "round", json_ref(json_get_text(respondent->asked, "round")));
    json_object_put_text(ret_input, "responses", responses);
    if (json_is(state, JSON_TEXT)) json_object_put_text(ret_input, "state", json_ref(state));
    return STATUS_OK;
}

status mcp_inquiry_put(const struct respondent *respondent, json asked,
                       const struct mcp_asker *asker, struct error *ret_why)
{
    CLEANUP(json_unrefp) json question = json_invalid();
    int64_t round                      = 0;
    (void)json_to_int(json_get_text(respondent->asked, "round"), &round);
    if (round >= MCP_ROUNDS_MAX) {
        return fail(ret_why, STATUS_RESOURCE_EXHAUSTED,
                    "the server has asked for input %d times, and asks again", MCP_ROUNDS_MAX);
    }
    struct error why = {};
    status code      = mcp_input_question(json_get_text(asked, "requests"), asker, &question, &why);
    if (code != STATUS_OK) {
        return fail(ret_why, code, "the server asks for input that nobody can be asked for: %s",
                    why.text);
    }
    CLEANUP(json_unrefp) json noted = json_ref(asked);
    json_object_put_text(&noted, "round", json_int(round + 1));
    respondent->ask(question, noted, respondent->context);
    return STATUS_OK;
}
