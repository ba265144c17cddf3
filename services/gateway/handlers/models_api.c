/* Which models there are: one shape for clients of OpenAI and of Anthropic, and Gemini's. */
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "gateway/llm/llm_ask.h"
#include "llm.pb-c.h"

enum { NAME_MAX_BYTES = 4'096 };

static void put_model(struct json_writer *w, const Pb__LlmModel *model)
{
    json_begin_object(w);
    json_put_text(w, "id", str_from(model->id));
    json_put_text(w, "object", str_from("model"));
    json_put_text(w, "type", str_from("model"));
    json_put_int(w, "created", model->created_us / 1'000'000);
    json_put_time(w, "created_at", model->created_us);
    json_put_text(w, "display_name", str_from(model->id));
    json_put_text(w, "owned_by", str_from(model->is_route ? "tutti" : model->provider));
    if (model->context_tokens > 0) {
        json_put_int(w, "context_window", model->context_tokens);
        json_put_int(w, "max_input_tokens", model->context_tokens);
    }
    if (model->simulated) json_put_bool(w, "simulated", true);
    json_end_object(w);
}

static void on_models(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__LlmModels *models = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    size_t count          = models->n_models;
    json_begin_object(w);
    json_put_text(w, "object", str_from("list"));
    json_member(w, "data");
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) put_model(w, models->models[i]);
    json_end_array(w);
    json_put_bool(w, "has_more", false);
    if (count > 0) {
        json_put_text(w, "first_id", str_from(models->models[0]->id));
        json_put_text(w, "last_id", str_from(models->models[count - 1]->id));
    }
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
}

void models_list(struct api_call *call)
{
    Pb__LlmListModels message = PB__LLM_LIST_MODELS__INIT;
    llm_ask(call, "ListModels", &message, on_models);
}

typedef void put_one(struct json_writer *w, const Pb__LlmModel *model);

static void answer_one(struct api_call *call, const Pb__LlmModels *models, put_one *put)
{
    for (size_t i = 0; i < models->n_models; i++) {
        if (!str_is(call->params[0], models->models[i]->id)) continue;
        struct api_answer response;
        api_answer_begin(&response, call);
        put(&response.json, models->models[i]);
        api_answer_send(&response, 200, NULL);
        return;
    }
    api_fail_with(call, "model_not_found", (str){}, "there is no model `%.*s` in the list",
                  (int)call->params[0].len, call->params[0].ptr);
}

static void on_model(struct api_call *call, const struct rpc_answer *answer)
{
    answer_one(call, answer->message, put_model);
}

void models_get(struct api_call *call)
{
    Pb__LlmListModels message = PB__LLM_LIST_MODELS__INIT;
    llm_ask(call, "ListModels", &message, on_model);
}

/* --- in Gemini's shape -------------------------------------------------------------------------
 */

static void put_content_model(struct json_writer *w, const Pb__LlmModel *model)
{
    static const char *const methods[] = {"generateContent", "countTokens"};
    CLEANUP(buf_done) struct buf name  = buf_init(NAME_MAX_BYTES);
    (void)buf_printf(&name, "models/%s", model->id);
    json_begin_object(w);
    json_put_text(w, "name", buf_str(&name));
    json_put_text(w, "displayName", str_from(model->id));
    if (model->context_tokens > 0) json_put_int(w, "inputTokenLimit", model->context_tokens);
    json_put_texts(w, "supportedGenerationMethods", methods, ARRAY_LEN(methods));
    json_end_object(w);
}

static void on_content_models(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__LlmModels *models = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    json_begin_object(w);
    json_member(w, "models");
    json_begin_array(w);
    for (size_t i = 0; i < models->n_models; i++) put_content_model(w, models->models[i]);
    json_end_array(w);
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
}

void content_models_list(struct api_call *call)
{
    Pb__LlmListModels message = PB__LLM_LIST_MODELS__INIT;
    llm_ask(call, "ListModels", &message, on_content_models);
}

static void on_content_model(struct api_call *call, const struct rpc_answer *answer)
{
    answer_one(call, answer->message, put_content_model);
}

void content_models_get(struct api_call *call)
{
    Pb__LlmListModels message = PB__LLM_LIST_MODELS__INIT;
    llm_ask(call, "ListModels", &message, on_content_model);
}
