/*
 * Answers that go out only in the shape that was asked for (`Tutti-Validate: true`).
 *
 * Another shape is asked for again (repair.h), as often as the route says: each ask is a call of
 * its own, paid before the next one is made, and in the same deadline. What stands around the JSON
 * of an answer is taken away. A stream is held back until then; so that nobody takes it for dead it
 * has a comment now and then, and from the first one on its status is 200.
 */
#include "base/mem.h"
#include "llm-proxy/chat/content.h"
#include "llm-proxy/chat/repair.h"
#include "llm-proxy/client/client_call_internal.h"
#include "workflow/token_estimate.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMENT_MS = 15'000 };

/* --- streams that are held back ----------------------------------------------------------------
 */

static void comment_later(struct client_call *client);

static void on_comment(void *context)
{
    struct client_call *client = context;
    if (!client->is_committed) client_stream_commit(client);
    recording_data(client->recording, str_from(": the answer is not there yet\n\n"));
    comment_later(client);
}

static void comment_later(struct client_call *client)
{
    struct loop *loop = guard_loop(client->calls->guard);
    client->comment   = (struct loop_timer){.fire = on_comment, .context = client};
    loop_timer_set(loop, &client->comment, loop_now_ms(loop) + COMMENT_MS);
}

void client_check_begin(struct client_call *client)
{
    const struct chat_request *request = client->request;
    client->is_checked =
        request->is_validated && !request->is_count && request->format != FORMAT_TEXT;
    client->spent = (Pb__Usage)PB__USAGE__INIT;
    if (client->is_checked && request->is_stream) comment_later(client);
}

void client_check_done(struct client_call *client)
{
    loop_timer_clear(guard_loop(client->calls->guard), &client->comment);
    if (client->bare) answer_done(client->bare);
    free(client->bare);
}

/* --- what stands around the JSON ---------------------------------------------------------------
 */

/* What the choices say; a text without bytes stays as it is. */
struct bare_texts {
    struct buf of[ANSWER_CHOICES_MAX];
    bool has_any;
};

static void bare_texts_done(struct bare_texts *bare)
{
    for (size_t i = 0; i < ANSWER_CHOICES_MAX; i++) buf_done(&bare->of[i]);
}

static void say_choice(const struct answer_choice *choice, uint32_t index, str text, llm_sink *sink,
                       void *context)
{
    struct llm_event event = {.kind = LLM_THINKING, .choice = index};
    event.bytes            = buf_str(&choice->thinking);
    if (event.bytes.len > 0) sink(&event, context);
    event.kind  = LLM_REFUSAL;
    event.bytes = buf_str(&choice->refusal);
    event.part++;
    if (event.bytes.len > 0) sink(&event, context);
    event.kind  = LLM_TEXT;
    event.bytes = text;
    event.part++;
    if (event.bytes.len > 0) sink(&event, context);
    for (uint32_t i = 0; i < choice->tool_call_count; i++) {
        const struct answer_tool_call *call = &choice->tool_calls[i];
        struct llm_event tool               = {
                          .kind = LLM_TOOL_START, .choice = index, .part = event.part + 1 + i};
        tool.id   = buf_str(&call->id);
        tool.name = buf_str(&call->name);
        sink(&tool, context);
        tool       = (struct llm_event){.kind = LLM_TOOL_ARGS, .choice = index, .part = tool.part};
        tool.bytes = buf_str(&call->arguments);
        sink(&tool, context);
    }
    event = (struct llm_event){.kind = LLM_FINISH, .choice = index, .finish = choice->finish};
    sink(&event, context);
}

/* The answer once more, with other texts. */
static void say(const struct answer *answer, const struct bare_texts *bare, llm_sink *sink,
                void *context)
{
    struct llm_event event = {.kind       = LLM_START,
                              .id         = buf_str(&answer->id),
                              .model      = buf_str(&answer->model),
                              .created_us = answer->created_us};
    sink(&event, context);
    for (uint32_t i = 0; i < answer->choice_count; i++) {
        const struct answer_choice *choice = &answer->choices[i];
        const struct buf *text             = bare->of[i].len > 0 ? &bare->of[i] : &choice->text;
        say_choice(choice, i, buf_str(text), sink, context);
    }
    event = (struct llm_event){.kind = LLM_USAGE, .usage = answer->usage};
    sink(&event, context);
}

static void use_bare(struct client_call *client, struct llm_outcome *ended,
                     const struct bare_texts *bare)
{
    if (client->request->is_stream) {
        client_stream_renew(client);
        say(ended->answer, bare, client_stream_write, client);
        return;
    }
    client->bare = mem_new(1, sizeof *client->bare);
    answer_init(client->bare);
    say(ended->answer, bare, answer_take, client->bare);
    ended->answer = client->bare;
}

/* --- the check ---------------------------------------------------------------------------------
 */

/* The first choice of another shape; NULL: all are fine. What asks for calls, or refuses, has none.
 */
static const struct answer_choice *find_wrong(const struct client_call *client,
                                              const struct answer *answer, struct bare_texts *bare,
                                              struct error *reterr)
{
    for (uint32_t i = 0; i < answer->choice_count; i++) {
        const struct answer_choice *choice = &answer->choices[i];
        str text                           = buf_str(&choice->text);
        CLEANUP(json_unrefp) json value    = json_invalid();
        if (choice->tool_call_count > 0 || choice->refusal.len > 0) continue;
        if (content_read(client->request, text, &value, reterr) != STATUS_OK) return choice;
        if (content_is_bare(text)) continue;
        bare->has_any = true;
        bare->of[i]   = buf_init(ANSWER_TEXT_MAX);
        (void)json_print(value, JSON_COMPACT, &bare->of[i]);
    }
    return NULL;
}

static int64_t tokens_of(str text)
{
    return (int64_t)(text.len / CHAT_BYTES_PER_TOKEN) + 1;
}

/* The conversation goes on with what was wrong. False: it was asked for often enough. */
static bool ask_again(struct client_call *client, const struct llm_outcome *ended, str text)
{
    CLEANUP(buf_done) struct buf problems = buf_init(REPAIR_TEXT_MAX);
    if (ended->is_stopped || client->repairs >= client->route->repairs) return false;
    repair_explain(client->request, text, &problems);
    const char *said = arena_strdup(client->arena, text);
    const char *why  = arena_strdup(client->arena, buf_str(&problems));
    str answer       = {.ptr = said, .len = text.len};
    if (!said || !why || repair_go_on(client->request, answer, str_from(why), NULL) != STATUS_OK) {
        return false;
    }
    client->repairs++;
    client->tries          = ended->tries;
    client->spent          = ended->usage;
    client->spent.provider = "";
    client->spent.model    = "";
    client->try.losses     = NULL;
    client->is_finishing   = false;
    int64_t more           = tokens_of(answer) + tokens_of(str_from(why));
    client->estimate.input += more;
    client->purse.asked.input_tokens += more;
    client->call = NULL;
    return client_call_ask(client);
}

static void fail_with(struct client_call *client, struct llm_outcome *ended, const char *why)
{
    bool is_poor     = ended->is_stopped;
    const char *text = arena_printf(client->arena, "%s (%u asks): %s",
                                    is_poor ? "its budget was spent before the answer fitted"
                                            : "the answer does not fit what was asked for",
                                    client->repairs + 1, why);
    ended->is_ok     = false;
    ended->error     = (struct llm_error){.class = is_poor ? LLM_ERROR_BUDGET : LLM_ERROR_OUTPUT,
                                          .text  = str_from(text ? text : why)};
}

bool client_check_answer(struct client_call *client, struct llm_outcome *ended)
{
    struct bare_texts bare = {};
    struct error error     = {};
    repair_add_usage(&ended->usage, &client->spent);
    ended->tries += client->tries;
    if (!ended->is_ok) return false;
    const struct answer_choice *wrong = find_wrong(client, ended->answer, &bare, &error);
    bool goes_on                      = false;
    if (client->repairs > 0) measures_repair(pipeline_measures(client->pipeline), !wrong);
    if (wrong) {
        llm_call_forget(client->call); /* who asks again gets another one */
        goes_on = ask_again(client, ended, buf_str(&wrong->text));
        if (!goes_on) fail_with(client, ended, error.text);
    } else if (bare.has_any) {
        use_bare(client, ended, &bare);
    }
    bare_texts_done(&bare);
    return goes_on;
}
