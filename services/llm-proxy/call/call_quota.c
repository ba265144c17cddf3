/* What a try may take of the limits of its provider and of its model, which it enters one after the
 * other. */
#include "llm-proxy/call/call_internal.h"

#include "workflow/token_estimate.h"

#include <stdio.h>

enum { OUTPUT_RESERVED = 4'096 /* tokens of an answer of unknown length, and of a long one */ };

static uint64_t size_of(const struct chat_request *request)
{
    uint64_t size = chat_request_size(request);
    for (uint32_t i = 0; i < request->input_count; i++) size += request->inputs[i].len;
    return size;
}

/* Of a question that was guessed to be so many tokens, those that are not of its texts: of tools,
 * shapes and pictures. What was guessed may be without pictures: of Gemini's bodies. */
static int64_t others_of(const struct chat_request *request, int64_t guessed)
{
    int64_t others = guessed - (int64_t)(size_of(request) / CHAT_BYTES_PER_TOKEN);
    int64_t images = (int64_t)chat_request_images(request) * CHAT_IMAGE_TOKENS;
    return others > images ? others : images;
}

void llm_call_guess(struct llm_call *call, int64_t tokens)
{
    call->guessed_tokens = tokens;
}

/* What is set aside for a try. */
static int64_t estimate(const struct llm_call *call)
{
    const struct route_target *target  = call_target(call);
    const struct chat_request *request = call->request;
    const struct token_ratios *ratios  = guard_ratios(call->pipeline->options.guard);
    uint64_t size                      = size_of(request);
    int64_t input = token_ratios_estimate(ratios, target->provider->name, target->model, size);
    input += others_of(request, call->guessed_tokens);
    int64_t output = request->max_tokens > 0 ? request->max_tokens : OUTPUT_RESERVED;
    if (output > OUTPUT_RESERVED) output = OUTPUT_RESERVED;
    if (request->count > 1) output *= request->count;
    if (request->input_count > 0) output = 0;
    return input + output > 0 ? input + output : 1;
}

/* Empty: its name is too long for a limit. */
static str target_of(const struct llm_call *call, enum call_quota which,
                     char text[static QUOTA_TARGET_SIZE])
{
    const struct route_target *target = call_target(call);
    const char *provider              = target->provider->name;
    str model                         = which == CALL_QUOTA_MODEL ? target->model : (str){};
    int len = snprintf(text, QUOTA_TARGET_SIZE, "llm:%s%s" STR_FMT, provider,
                       which == CALL_QUOTA_MODEL ? "/" : "", STR_ARG(model));
    if (len < 0 || len >= QUOTA_TARGET_SIZE) return (str){};
    return (str){.ptr = text, .len = (size_t)len};
}

static void on_decided(bool may_go, void *context)
{
    struct llm_call *call = context;
    if (may_go) call->quota_count++;
    call->quota_decided(call, may_go);
}

enum quota_answer call_ask_quotas(struct llm_call *call,
                                  void (*decided)(struct llm_call *call, bool may_go))
{
    struct guard *guard = call->pipeline->options.guard;
    char name[QUOTA_TARGET_SIZE];
    call->quota_decided = decided;
    if (!guard || call->request->is_count || quotas_are_none(guard_quotas(guard))) return QUOTA_GO;
    int64_t tokens = estimate(call);
    while (call->quota_count < CALL_QUOTAS) {
        enum call_quota which    = call->quota_count;
        enum quota_part part     = which == CALL_QUOTA_PROVIDER ? QUOTA_TOKENS : QUOTA_ALL;
        struct quota_pass *pass  = &call->quotas[which];
        *pass                    = (struct quota_pass){.decided = on_decided, .context = call};
        str target               = target_of(call, which, name);
        enum quota_answer answer = QUOTA_GO;
        if (target.len > 0) answer = quota_enter(guard_quotas(guard), target, part, tokens, pass);
        if (answer != QUOTA_GO) return answer;
        call->quota_count++;
    }
    return QUOTA_GO;
}

struct llm_error call_quota_refusal(const struct llm_call *call, char *text, size_t size)
{
    char name[QUOTA_TARGET_SIZE];
    const struct guard *guard = call->pipeline->options.guard;
    str target                = target_of(call, call->quota_count, name);
    (void)snprintf(text, size, "the limit of " STR_FMT " is reached", STR_ARG(target));
    return (struct llm_error){
        .class          = LLM_ERROR_LIMIT,
        .text           = str_from(text),
        .retry_after_ms = guard_left_ms(quota_opens_us(guard_quotas(guard), target)),
    };
}

void call_leave_quotas(struct llm_call *call)
{
    int64_t tokens = call_tokens_of_try(call);
    for (enum call_quota i = 0; i < CALL_QUOTAS; i++) {
        if (call->is_sent) {
            quota_leave(&call->quotas[i], tokens);
        } else {
            quota_leave_unused(&call->quotas[i]);
        }
    }
    call->quota_count = 0;
}

void call_note_ratio(const struct llm_call *call)
{
    const struct route_target *target = call_target(call);
    struct guard *guard               = call->pipeline->options.guard;
    bool is_said                      = !call->answer.is_failed && call->answer.end != END_BUDGET;
    if (!guard || !is_said || call->request->is_count) return;
    if (chat_request_images(call->request) > 0) return; /* how many tokens they are only it knows */
    uint64_t size = size_of(call->request);
    token_ratios_note(guard_ratios(guard), target->provider->name, target->model, size,
                      call->answer.usage.input_tokens -
                          others_of(call->request, call->guessed_tokens));
}

int64_t llm_question_tokens(const struct guard *guard, const struct llm_route *route,
                            const struct chat_request *request, int64_t guessed)
{
    const struct token_ratios *ratios = guard_ratios(guard);
    uint64_t size                     = size_of(request);
    int64_t others                    = others_of(request, guessed);
    int64_t plain                     = others + (int64_t)(size / CHAT_BYTES_PER_TOKEN);
    int64_t most                      = 0;
    for (uint32_t i = 0; i < route->target_count; i++) {
        const struct route_target *target = &route->targets[i];
        const char *provider              = target->provider->name;
        bool is_known                     = token_ratios_knows(ratios, provider, target->model);
        int64_t tokens                    = plain > guessed ? plain : guessed;
        if (is_known) {
            tokens = others + token_ratios_estimate(ratios, provider, target->model, size);
        }
        if (tokens > most) most = tokens;
    }
    return most;
}
