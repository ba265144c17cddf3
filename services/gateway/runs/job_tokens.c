#include "gateway/runs/job_tokens.h"

#include "base/mem.h"
#include "gateway/llm/llm_pull.h"
#include "llm.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 64 << 20, PLACE_LEN_MAX = 64 };

/* One replica. */
struct teller {
    struct job_tokens *tokens;
    uint16_t replica;
    bool is_asking, is_mute;
    struct rpc_answer *answer; /* of the question under way; owned */
    struct loop_notice notice; /* it is there */
    struct llm_tap tap;
    struct buf line; /* its beginning */
};

struct job_tokens {
    struct api *api;
    char *run; /* owned */
    void (*take)(const struct job_token *token, void *context);
    void *context;
    size_t asking;
    bool is_over; /* freed by the last answer */
    uint16_t count;
    struct teller tellers[];
};

/* --- lines -------------------------------------------------------------------------------------
 */

bool job_tokens_read(str line, struct job_token *ret_token)
{
    ret_token->is_gap = line.len > 0 && line.ptr[0] == '!';
    if (ret_token->is_gap) line = str_slice(line, 1, line.len);
    const char *space = line.len > 0 ? memchr(line.ptr, ' ', line.len) : NULL;
    if (!space) return false;
    size_t at        = (size_t)(space - line.ptr);
    ret_token->place = str_slice(line, 0, at);
    ret_token->data  = str_slice(line, at + 1, line.len);
    if (at == 0 || at > PLACE_LEN_MAX || ret_token->data.len == 0) return false;
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '\r' || line.ptr[i] == '\n') return false;
    }
    return true;
}

static void take(str data, void *context)
{
    struct teller *teller           = context;
    const struct job_tokens *tokens = teller->tokens;
    (void)buf_put_str(&teller->line, data);
    for (const char *end = NULL;;) {
        str text = buf_str(&teller->line);
        end      = memchr(text.ptr, '\n', text.len);
        if (!end) return;
        size_t len = (size_t)(end - text.ptr);
        struct job_token token;
        bool is_one = job_tokens_read(str_slice(text, 0, len), &token);
        if (is_one && !tokens->is_over) tokens->take(&token, tokens->context);
        buf_consume(&teller->line, len + 1);
    }
}

/* --- tellers -----------------------------------------------------------------------------------
 */

static void on_lost(void *context)
{
    struct teller *teller = context;
    buf_clear(&teller->line); /* the next job_tokens_ask() asks it again */
}

static void destroy(struct job_tokens *tokens)
{
    for (uint16_t i = 0; i < tokens->count; i++) {
        struct teller *teller = &tokens->tellers[i];
        llm_pull_untap(&teller->tap);
        loop_notice_clear(tokens->api->home, &teller->notice);
        rpc_answer_free(teller->answer);
        buf_done(&teller->line);
    }
    free(tokens->run);
    free(tokens);
}

static void on_attached(void *context)
{
    struct teller *teller                               = context;
    struct job_tokens *tokens                           = teller->tokens;
    CLEANUP(rpc_answer_freep) struct rpc_answer *answer = TAKE(teller->answer);
    teller->is_asking                                   = false;
    tokens->asking--;
    if (answer->code == STATUS_OK) {
        const Pb__LlmAttached *attached = answer->message;
        teller->is_mute                 = attached->call == 0;
        if (attached->call > 0) {
            (void)llm_pull_tap(tokens->api->llm_pull, &teller->tap, teller->replica,
                               attached->call);
        }
    } else if (answer->code == STATUS_UNIMPLEMENTED) {
        teller->is_mute = true; /* an older release */
    }
    if (tokens->is_over) llm_pull_untap(&teller->tap);
    if (tokens->is_over && tokens->asking == 0) destroy(tokens);
}

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct teller *teller = context;
    teller->answer        = rpc_answer_keep(answer);
    loop_notify(teller->tokens->api->home, &teller->notice);
}

static void ask(struct teller *teller)
{
    struct job_tokens *tokens = teller->tokens;
    struct api *api           = tokens->api;
    if (!api->llm || teller->is_asking || teller->is_mute || teller->tap.incoming) return;
    Pb__LlmAttach message = PB__LLM_ATTACH__INIT;
    message.subscriber =
        (ProtobufCBinaryData){.data = api->subscriber, .len = sizeof api->subscriber};
    message.operation = PB__LLM_OPERATION__LLM_OPERATION_OPENAI_CHAT;
    message.run       = tokens->run;

    const struct rpc_request request = {.service   = &pb__llm__descriptor,
                                        .method    = "Attach",
                                        .message   = &message,
                                        .partition = teller->replica,
                                        .done      = on_answer,
                                        .context   = teller};
    teller->is_asking                = true;
    tokens->asking++;
    if (api_call_llm(api, &request, NULL) == STATUS_OK) return;
    teller->is_asking = false;
    tokens->asking--;
}

void job_tokens_ask(struct job_tokens *tokens)
{
    for (uint16_t i = 0; i < tokens->count; i++) ask(&tokens->tellers[i]);
}

struct job_tokens *job_tokens_new(struct api *api, const char *run,
                                  void (*take_token)(const struct job_token *token, void *context),
                                  void *context)
{
    uint16_t count            = llm_pull_replicas(api->llm_pull);
    struct job_tokens *tokens = mem_new(1, sizeof *tokens + count * sizeof *tokens->tellers);
    tokens->api               = api;
    tokens->run               = mem_dup(run, strlen(run));
    tokens->take              = take_token;
    tokens->context           = context;
    tokens->count             = count;
    for (uint16_t i = 0; i < count; i++) {
        struct teller *teller = &tokens->tellers[i];
        teller->tokens        = tokens;
        teller->replica       = i;
        teller->line          = buf_init(LINE_MAX_BYTES);
        teller->notice        = (struct loop_notice){.run = on_attached, .context = teller};
        teller->tap           = (struct llm_tap){.take = take, .lost = on_lost, .context = teller};
    }
    job_tokens_ask(tokens);
    return tokens;
}

/* --- the end -----------------------------------------------------------------------------------
 */

void job_tokens_free(struct job_tokens *tokens)
{
    if (!tokens) return;
    tokens->is_over = true;
    for (uint16_t i = 0; i < tokens->count; i++) llm_pull_untap(&tokens->tellers[i].tap);
    if (tokens->asking == 0) destroy(tokens);
}
