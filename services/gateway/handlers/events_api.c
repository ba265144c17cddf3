/* Events from outside: read (cloud_events.c), and handed to the scheduler. */
#include "event.pb-c.h"

#include "base/assert.h"
#include "gateway/api/cloud_events.h"
#include "gateway/handlers/handlers.h"

enum {
    EVENT_MAX  = 256 << 10, /* bytes of JSON; the scheduler checks it as well */
    EVENTS_MAX = 2 << 20,   /* of all of them; the body is smaller */
};

static void on_published(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__PublishedEvents *result = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_member(&response.json, "items");
    json_begin_array(&response.json);
    for (size_t i = 0; i < result->n_events; i++) {
        json_begin_object(&response.json);
        json_put_text(&response.json, "source", str_from(result->events[i]->source));
        json_put_text(&response.json, "id", str_from(result->events[i]->id));
        json_put_bool(&response.json, "duplicate", result->events[i]->duplicate);
        json_end_object(&response.json);
    }
    json_end_array(&response.json);
    json_end_object(&response.json);
    api_answer_send(&response, 202, NULL);
}

/* One text for each; false: the call was answered. */
static bool print_events(struct api_call *call, json events, struct buf *texts,
                         Pb__PublishEvents *message)
{
    size_t count           = json_count(events);
    message->events_json   = arena_alloc(call->arena, count * sizeof *message->events_json);
    message->n_events_json = count;
    CLEANUP(buf_done) struct buf one = buf_init(EVENT_MAX);
    for (size_t pass = 0; pass < 2; pass++) { /* the buffer must not move under the views */
        size_t from = 0;
        for (size_t i = 0; i < count; i++) {
            if (pass == 0) {
                buf_clear(&one);
                if (!api_print(call, json_at(events, i), &one)) return false;
                (void)buf_put_str(texts, buf_str(&one));
                message->events_json[i].len = one.len;
            } else {
                message->events_json[i].data = (uint8_t *)texts->ptr + from;
                from += message->events_json[i].len;
            }
        }
    }
    return true;
}

void events_publish(struct api_call *call)
{
    const char *namespace            = api_namespace(call); /* "*" is refused with the rest */
    CLEANUP(json_unrefp) json events = json_invalid();
    struct error error               = {};
    status code                      = cloud_events_read(call->request, &events, &error);
    if (code != STATUS_OK) {
        api_fail(call, code, &error);
        return;
    }
    CLEANUP(buf_done) struct buf texts = buf_init(EVENTS_MAX);
    Pb__PublishEvents message          = PB__PUBLISH_EVENTS__INIT;
    message.namespace_                 = namespace;
    if (!print_events(call, events, &texts, &message)) return;
    if (!api_make_repeatable_as(call, buf_str(&texts))) return; /* it may stand in headers */
    const struct api_ask ask = {
        .service   = &pb__events__descriptor,
        .method    = "Publish",
        .message   = &message,
        .partition = api_partition_of_text(call->api, str_from(namespace), (str){.ptr = ""}),
        .then      = on_published,
    };
    api_ask_scheduler(call, &ask);
}
