#include "tool-adapter/browser/wire.h"

#include "base/map.h"
#include "base/mem.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdlib.h>

struct pending {
    wire_answer_fn *answer; /* NULL: forgotten */
    void *context;
};

struct wire {
    struct wire_options options;
    struct pipe_frames frames;
    struct map *pending;  /* struct pending by the eight bytes of its id */
    struct map *sessions; /* struct wire_session */
    int64_t last_id;
};

struct wire *wire_new(const struct wire_options *options)
{
    struct wire *wire = mem_new(1, sizeof *wire);
    *wire             = (struct wire){.options  = *options,
                                      .pending  = map_new(WIRE_COMMANDS_MAX),
                                      .sessions = map_new(WIRE_SESSIONS_MAX)};
    pipe_frames_init(&wire->frames, options->frame_max > 0 ? options->frame_max : FRAME_SIZE_MAX);
    return wire;
}

void wire_freep(struct wire **ref)
{
    struct wire *wire = *ref;
    size_t cursor     = 0;
    str key;
    void *value;
    if (!wire) return;
    while (map_next(wire->pending, &cursor, &key, &value)) free(value);
    cursor = 0;
    while (map_next(wire->sessions, &cursor, &key, &value)) {
        struct wire_session *session = value;
        free(TAKE(session->id));
    }
    map_free(wire->pending);
    map_free(wire->sessions);
    pipe_frames_done(&wire->frames);
    free(wire);
    *ref = NULL;
}

/* --- what it says ----------------------------------------------------------------------------- */

static str key_of(const int64_t *id)
{
    return (str){.ptr = (const char *)id, .len = sizeof *id};
}

static void take_answer(struct wire *wire, int64_t id, json message)
{
    struct pending *pending = map_remove(wire->pending, key_of(&id));
    if (!pending) return;
    json error        = json_get_text(message, "error");
    json text         = json_get_text(error, "message");
    bool is_fine      = !json_is(error, JSON_OBJECT);
    const char *words = is_fine                    ? NULL
                        : json_is(text, JSON_TEXT) ? json_str(text).ptr
                                                   : "without a reason";
    if (pending->answer) {
        pending->answer(json_get_text(message, "result"), words, pending->context);
    }
    free(pending);
}

static void take_event(struct wire *wire, json message, size_t size)
{
    json method = json_get_text(message, "method");
    json id     = json_get_text(message, "sessionId");
    if (!json_is(method, JSON_TEXT) || !json_is(id, JSON_TEXT)) return;
    struct wire_session *session = wire_session_of(wire, json_str(id));
    if (!session) return;
    session->size = size;
    session->event(session, json_str(method), json_get_text(message, "params"), session->context);
}

status wire_hear(struct wire *wire, str piece, struct error *reterr)
{
    pipe_frames_put(&wire->frames, piece);
    for (;;) {
        CLEANUP(json_unrefp) json message = json_invalid();
        int64_t id                        = 0;
        TRY(pipe_frames_next(&wire->frames, &message, reterr));
        if (json_is(message, JSON_INVALID)) return STATUS_OK;
        json number = json_get_text(message, "id");
        if (json_is_number(number) && json_to_int(number, &id)) {
            take_answer(wire, id, message);
        } else {
            take_event(wire, message, wire->frames.size);
        }
    }
}

/* --- what it is told -------------------------------------------------------------------------- */

static bool put_command(struct buf *out, int64_t id, const struct wire_command *command,
                        json params)
{
    (void)buf_printf(out, "{\"id\":%" PRId64 ",\"method\":\"%s\"", id, command->method);
    if (command->session) {
        (void)buf_put_text(out, ",\"sessionId\":");
        (void)json_print_text(str_from(command->session->id), out);
    }
    if (!json_is(params, JSON_INVALID)) {
        (void)buf_put_text(out, ",\"params\":");
        (void)json_print(params, JSON_COMPACT, out);
    }
    (void)buf_put_byte(out, '}');
    return buf_put_byte(out, '\0');
}

void wire_send(struct wire *wire, const struct wire_command *command)
{
    CLEANUP(json_unrefp) json params  = command->params;
    CLEANUP(buf_done) struct buf text = buf_init(WIRE_MESSAGE_MAX);
    if (command->session && !command->session->id) return;
    int64_t id = ++wire->last_id;
    if (!put_command(&text, id, command, params)) return;
    struct pending *pending = mem_new(1, sizeof *pending);
    *pending = (struct pending){.answer = command->answer, .context = command->context};
    if (!map_put(wire->pending, key_of(&id), pending)) {
        free(pending);
        return;
    }
    (void)wire->options.write(buf_str(&text), wire->options.context);
}

void wire_forget(struct wire *wire, const void *context)
{
    size_t cursor = 0;
    str key;
    void *value;
    while (map_next(wire->pending, &cursor, &key, &value)) {
        struct pending *pending = value;
        if (pending->context == context) pending->answer = NULL;
    }
}

/* --- sessions --------------------------------------------------------------------------------- */

bool wire_listen(struct wire *wire, struct wire_session *session, str id)
{
    if (id.len == 0 || map_get(wire->sessions, id)) return false;
    if (!map_put(wire->sessions, id, session)) return false;
    session->id = mem_dup(id.ptr, id.len);
    return true;
}

void wire_leave(struct wire *wire, struct wire_session *session)
{
    if (!session->id) return;
    (void)map_remove(wire->sessions, str_from(session->id));
    free(TAKE(session->id));
}

struct wire_session *wire_session_of(const struct wire *wire, str id)
{
    return map_get(wire->sessions, id);
}
