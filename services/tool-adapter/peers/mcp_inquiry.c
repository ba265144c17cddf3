#include "tool-adapter/peers/mcp_inquiry.h"

#include "base/attr.h"

bool mcp_inquiry_is_wanted(json setting)
{
    return !json_is(setting, JSON_TEXT) || !str_is(json_str(setting), "refuse");
}

bool mcp_inquiry_replays(json setting)
{
    return json_is(setting, JSON_TEXT) && str_is(json_str(setting), "replay");
}

/* --- what was answered --------------------------------------------------------------------------
 */

/* Of this round and those before. Owned. */
static status answered_new(const struct respondent *respondent, json *ret_list,
                           struct error *reterr)
{
    CLEANUP(json_unrefp) json responses = json_invalid();
    json requests                       = json_get_text(respondent->asked, "requests");
    json before                         = json_get_text(respondent->asked, "answered");
    TRY(mcp_input_responses(requests, respondent->answer, &responses, reterr));
    *ret_list = json_is(before, JSON_ARRAY) ? json_ref(before) : json_array_new(1);
    for (size_t i = 0; i < json_count(responses); i++) {
        json entry   = json_object_new(2);
        json request = json_value_at(requests, i);
        json_object_put_text(&entry, "request", json_ref(json_get_text(request, "params")));
        json_object_put_text(&entry, "response", json_ref(json_value_at(responses, i)));
        json_array_push(ret_list, entry);
    }
    return STATUS_OK;
}

static bool is_replayed(json asked)
{
    return json_is(json_get_text(asked, "replay"), JSON_TRUE);
}

/* To what a server of that era has asked. */
static bool has_answer(const struct respondent *respondent, bool is_older)
{
    return respondent && json_is(respondent->asked, JSON_OBJECT) &&
           json_is(respondent->answer, JSON_OBJECT) && is_replayed(respondent->asked) == is_older;
}

status mcp_replay_init(struct mcp_replay *replay, const struct respondent *respondent,
                       struct error *reterr)
{
    *replay = (struct mcp_replay){};
    if (!has_answer(respondent, true)) return STATUS_OK;
    return answered_new(respondent, &replay->answered, reterr);
}

void mcp_replay_done(struct mcp_replay *replay)
{
    json_unref(json_take(&replay->answered));
}

static bool is_agreed(json response)
{
    json action = json_get_text(response, "action");
    return json_is(action, JSON_TEXT) && str_is(json_str(action), "accept");
}

/* What a person sees of it; an address that may be another one each time only if it was agreed to.
 */
static bool is_same(json entry, json params)
{
    json asked = json_get_text(entry, "request");
    bool is_it = json_equal(json_get_text(asked, "message"), json_get_text(params, "message")) &&
                 json_equal(json_get_text(asked, "requestedSchema"),
                            json_get_text(params, "requestedSchema"));
    if (!is_it || !is_agreed(json_get_text(entry, "response"))) return is_it;
    return json_equal(json_get_text(asked, "url"), json_get_text(params, "url"));
}

json mcp_replay_answer(struct mcp_replay *replay, json params)
{
    size_t count = json_is(replay->answered, JSON_ARRAY) ? json_count(replay->answered) : 0;
    for (size_t i = 0; i < count && i < MCP_REPLAYS_MAX; i++) {
        json entry = json_at(replay->answered, i);
        if (replay->used[i] || !is_same(entry, params)) continue;
        replay->used[i] = true;
        return json_ref(json_get_text(entry, "response"));
    }
    return json_invalid();
}

/* --- rounds -------------------------------------------------------------------------------------
 */

status mcp_inquiry_check(json setting, struct error *reterr)
{
    static const char *const known[] = {"ask", "replay", "refuse"};
    if (json_is(setting, JSON_INVALID)) return STATUS_OK;
    for (size_t i = 0; json_is(setting, JSON_TEXT) && i < ARRAY_LEN(known); i++) {
        if (str_is(json_str(setting), known[i])) return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "/transport/options/input: one of ask, replay, refuse");
}

status mcp_inquiry_input(const struct respondent *respondent, json *ret_input, struct error *reterr)
{
    json responses = json_invalid();
    if (!has_answer(respondent, false)) return STATUS_OK;
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
    if (respondent->mute) {
        return fail(ret_why, STATUS_FAILED_PRECONDITION,
                    "the server asks for input that nobody can be asked for: %s", respondent->mute);
    }
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
    CLEANUP(json_unrefp) json noted    = json_ref(asked);
    CLEANUP(json_unrefp) json answered = json_invalid();
    json_object_put_text(&noted, "round", json_int(round + 1));
    if (is_replayed(asked) && has_answer(respondent, true)) {
        TRY(answered_new(respondent, &answered, ret_why));
        json_object_put_text(&noted, "answered", json_take(&answered));
    }
    respondent->ask(question, noted, respondent->context);
    return STATUS_OK;
}
