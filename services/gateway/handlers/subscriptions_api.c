/* Subscriptions: who outside is told what happens to runs. */
#include "subscription.pb-c.h"

#include "base/assert.h"
#include "base/hash.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"

#include <stdio.h>

enum { SECRET_MAX = 256 /* bytes */, SECRET_TEXT_MAX = 400, TYPES_MAX = 64 };

static const char secret_prefix[] = "whsec_";

static void put_secret(struct json_writer *w, ProtobufCBinaryData secret)
{
    char text[SECRET_TEXT_MAX];
    if (secret.len == 0 || secret.len > SECRET_MAX) return;
    (void)snprintf(text, sizeof text, "%s", secret_prefix);
    size_t len = sizeof secret_prefix - 1;
    base64_encode(secret.data, secret.len, text + len);
    json_put_text(w, "secret", (str){text, len + base64_size(secret.len)});
}

static void put_subscription(struct json_writer *w, const Pb__Subscription *subscription)
{
    json_begin_object(w);
    json_put_text(w, "id", str_from(subscription->id));
    json_put_text(w, "namespace", str_from(subscription->namespace_));
    json_put_text(w, "url", str_from(subscription->url));
    json_put_texts(w, "types", subscription->types, subscription->n_types);
    view_text_if(w, "workflow", subscription->workflow);
    if (*subscription->label_key) {
        char label[IDENTITY_LABEL_MAX + 1];
        (void)snprintf(label, sizeof label, "%s:%s", subscription->label_key,
                       subscription->label_value);
        json_put_text(w, "label", str_from(label));
    }
    json_put_text(w, "status", str_from(subscription->off ? "off" : "active"));
    json_put_time(w, "created_at", subscription->created_us);
    put_secret(w, subscription->secret);
    json_end_object(w);
}

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask asked = {.service = &pb__subscriptions__descriptor,
                                  .method  = method,
                                  .message = message,
                                  .then    = then};
    api_ask_scheduler(call, &asked);
}

/* --- create ------------------------------------------------------------------------------------
 */

static void on_created(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__Subscription *made   = answer->message;
    const char *place              = arena_printf(call->arena, "/v1/subscriptions/%s", made->id);
    const struct httpd_field field = {str_from("Location"), str_from(place ? place : "")};
    struct api_answer response;
    api_answer_begin(&response, call);
    put_subscription(&response.json, made);
    api_answer_send(&response, 201, &field);
}

/* False: the call was answered. */
static bool read_secret(struct api_call *call, ProtobufCBinaryData *ret_secret)
{
    json value = json_get_text(call->body, "secret");
    if (!json_is(value, JSON_TEXT)) return true; /* the scheduler makes one */
    str text          = json_str(value);
    uint8_t *secret   = arena_alloc(call->arena, SECRET_TEXT_MAX);
    size_t size       = 0;
    const size_t head = sizeof secret_prefix - 1;
    bool is_good      = secret && str_starts_with(text, str_from(secret_prefix)) &&
                   text.len < SECRET_TEXT_MAX &&
                   base64_decode(str_slice(text, head, text.len), secret, &size);
    if (!is_good || size < 16 || size > SECRET_MAX) {
        api_fail_with(call, "invalid_request", (str){},
                      "secret: whsec_ and 16 to 256 bytes in base64, or leave it out");
        return false;
    }
    *ret_secret = (ProtobufCBinaryData){.data = secret, .len = size};
    return true;
}

void subscriptions_create(struct api_call *call)
{
    Pb__Subscription message = PB__SUBSCRIPTION__INIT;
    if (!api_make_repeatable(call) || !read_secret(call, &message.secret)) return;
    json types         = json_get_text(call->body, "types");
    size_t count       = json_is(types, JSON_ARRAY) ? json_count(types) : 0;
    const char **texts = arena_alloc(call->arena, (TYPES_MAX + 1) * sizeof *texts);
    ASSERT(texts && count <= TYPES_MAX); /* the schema's limit */
    for (size_t i = 0; i < count; i++) texts[i] = api_text(call, json_str(json_at(types, i)));
    char *label        = arena_strdup(call->arena, str_from(api_member(call, call->body, "label")));
    char *colon        = label ? strchr(label, ':') : NULL;
    message.namespace_ = api_namespace(call);
    message.url        = api_member(call, call->body, "url");
    message.workflow   = api_member(call, call->body, "workflow");
    message.types      = texts;
    message.n_types    = count;
    message.created_by = call->identity.key_id;
    if (colon) {
        *colon              = '\0';
        message.label_key   = label;
        message.label_value = colon + 1;
    }
    ask(call, "Create", &message, on_created);
}

/* --- read, delete ------------------------------------------------------------------------------
 */

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__SubscriptionList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_subscriptions; i++) {
        put_subscription(&response.json, list->subscriptions[i]);
    }
    api_list_send(&response, "");
}

void subscriptions_list(struct api_call *call)
{
    Pb__ListSubscriptions message = PB__LIST_SUBSCRIPTIONS__INIT;
    message.namespace_            = api_namespace(call);
    ask(call, "List", &message, on_listed);
}

static void on_got(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__SubscriptionList *list = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    put_subscription(&response.json, list->subscriptions[0]);
    api_answer_send(&response, 200, NULL);
}

void subscriptions_get(struct api_call *call)
{
    Pb__ListSubscriptions message = PB__LIST_SUBSCRIPTIONS__INIT;
    message.namespace_            = api_namespace(call);
    message.id                    = api_text(call, call->params[0]);
    ask(call, "List", &message, on_got);
}

void subscriptions_delete(struct api_call *call)
{
    Pb__DeleteSubscription message = PB__DELETE_SUBSCRIPTION__INIT;
    message.namespace_             = api_namespace(call);
    message.id                     = api_text(call, call->params[0]);
    ask(call, "Delete", &message, api_send_nothing);
}
