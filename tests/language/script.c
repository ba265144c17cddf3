#include "language/script.h"

#include "base/assert.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 256 << 20, NAME_MAX_BYTES = 8 << 10, LIST_MAX = 64 << 10 };

struct standin {
    const char *name;
    struct script_answer answers[SCRIPT_ANSWERS_MAX];
    size_t count;
    size_t at;      /* the answer in use */
    uint32_t used;  /* times of it */
    bool has_ended; /* the last one had a number of times, and they are over */
};

struct asked {
    const char *name, *text;
    bool is_http;
};

struct script {
    pthread_mutex_t mutex;
    struct arena *arena;
    struct standin *standins;
    size_t standin_count;
    struct script_answer *newest; /* NULL: none yet */
    struct asked *asked;
    size_t asked_count;
};

struct script *script_new(void)
{
    struct script *script = mem_new(1, sizeof *script);
    (void)pthread_mutex_init(&script->mutex, NULL);
    script->arena    = arena_new(ARENA_MAX);
    script->standins = mem_new(SCRIPT_STANDINS_MAX, sizeof *script->standins);
    script->asked    = mem_new(SCRIPT_ASKED_MAX, sizeof *script->asked);
    return script;
}

void script_free(struct script *script)
{
    if (!script) return;
    (void)pthread_mutex_destroy(&script->mutex);
    arena_free(script->arena);
    free(script->standins);
    free(script->asked);
    free(script);
}

void script_freep(struct script **script)
{
    script_free(*script);
    *script = NULL;
}

void script_clear(struct script *script)
{
    (void)pthread_mutex_lock(&script->mutex);
    arena_clear(script->arena);
    memset(script->standins, 0, SCRIPT_STANDINS_MAX * sizeof *script->standins);
    script->standin_count = 0;
    script->newest        = NULL;
    script->asked_count   = 0;
    (void)pthread_mutex_unlock(&script->mutex);
}

static struct standin *find(const struct script *script, str name)
{
    for (size_t i = 0; i < script->standin_count; i++) {
        if (str_is(name, script->standins[i].name)) return &script->standins[i];
    }
    return NULL;
}

static const char *keep(struct script *script, str text)
{
    const char *copy = arena_strdup(script->arena, text);
    ASSERT(copy);
    return copy;
}

static status add(struct script *script, const char *name, const struct script_answer *answer,
                  struct error *reterr)
{
    struct standin *standin = find(script, str_from(name));
    if (!standin) {
        if (script->standin_count == SCRIPT_STANDINS_MAX) {
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "more than %d stand-ins",
                        SCRIPT_STANDINS_MAX);
        }
        standin       = &script->standins[script->standin_count++];
        standin->name = keep(script, str_from(name));
    }
    if (standin->count == SCRIPT_ANSWERS_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "more than %d answers of %s",
                    SCRIPT_ANSWERS_MAX, name);
    }
    struct script_answer *copy = &standin->answers[standin->count++];
    *copy                      = *answer;
    script->newest             = copy;
    copy->body                 = answer->body ? keep(script, str_from(answer->body)) : NULL;
    copy->type                 = answer->type ? keep(script, str_from(answer->type)) : NULL;
    return STATUS_OK;
}

status script_add(struct script *script, const char *name, const struct script_answer *answer,
                  struct error *reterr)
{
    (void)pthread_mutex_lock(&script->mutex);
    status code = add(script, name, answer, reterr);
    (void)pthread_mutex_unlock(&script->mutex);
    return code;
}

status script_add_header(struct script *script, const char *name, const char *value,
                         struct error *reterr)
{
    (void)pthread_mutex_lock(&script->mutex);
    status code                  = STATUS_OK;
    struct script_answer *answer = script->newest;
    if (!answer || answer->header_count == SCRIPT_HEADERS_MAX) {
        code = fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no answer, or too many headers of it");
    } else {
        answer->headers[answer->header_count++] =
            (struct script_header){keep(script, str_from(name)), keep(script, str_from(value))};
    }
    (void)pthread_mutex_unlock(&script->mutex);
    return code;
}

status script_add_undo(struct script *script, const char *undo, struct error *reterr)
{
    (void)pthread_mutex_lock(&script->mutex);
    status code = STATUS_OK;
    if (script->newest) {
        script->newest->undo = keep(script, str_from(undo));
    } else {
        code = fail(reterr, STATUS_INVALID_ARGUMENT, "there is no answer before this step");
    }
    (void)pthread_mutex_unlock(&script->mutex);
    return code;
}

bool script_knows(struct script *script, const char *name)
{
    (void)pthread_mutex_lock(&script->mutex);
    bool is_known = find(script, str_from(name)) != NULL;
    (void)pthread_mutex_unlock(&script->mutex);
    return is_known;
}

void script_list(struct script *script, const char *prefix, struct buf *out)
{
    (void)pthread_mutex_lock(&script->mutex);
    for (size_t i = 0; i < script->standin_count; i++) {
        const char *name = script->standins[i].name;
        if (str_starts_with(str_from(name), str_from(prefix))) {
            (void)buf_printf(out, "%s\n", name);
        }
    }
    (void)pthread_mutex_unlock(&script->mutex);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static void step(struct standin *standin)
{
    const struct script_answer *answer = &standin->answers[standin->at];
    bool is_last                       = standin->at + 1 == standin->count;
    uint32_t times                     = answer->times > 0 ? answer->times : 1;
    standin->used++;
    if (standin->used < times) return;
    if (is_last && answer->times == 0) return;
    standin->used = 0;
    if (is_last) {
        standin->has_ended = true;
    } else {
        standin->at++;
    }
}

static bool take(struct standin *standin, struct script_answer *ret_answer)
{
    *ret_answer = (struct script_answer){.http_status = 200};
    if (!standin) return false;
    if (!standin->has_ended) {
        *ret_answer = standin->answers[standin->at];
        step(standin);
    }
    return true;
}

static void note(struct script *script, const char *name, str text, bool is_http)
{
    ASSERT(script->asked_count < SCRIPT_ASKED_MAX);
    script->asked[script->asked_count++] =
        (struct asked){keep(script, str_from(name)), keep(script, text), is_http};
}

bool script_ask(struct script *script, const char *name, str asked,
                struct script_answer *ret_answer)
{
    (void)pthread_mutex_lock(&script->mutex);
    note(script, name, asked, false);
    bool is_known = take(find(script, str_from(name)), ret_answer);
    (void)pthread_mutex_unlock(&script->mutex);
    return is_known;
}

bool script_request(struct script *script, const struct script_request *request,
                    struct script_answer *ret_answer)
{
    char name[NAME_MAX_BYTES];
    struct standin *found = NULL;
    (void)pthread_mutex_lock(&script->mutex);
    for (int precision = 3; precision >= 0 && !found; precision--) {
        bool has_host  = precision & 2;
        bool has_query = precision & 1;
        if (has_query && request->query.len == 0) continue;
        (void)snprintf(name, sizeof name, STR_FMT " " STR_FMT STR_FMT "%s" STR_FMT,
                       STR_ARG(request->method), has_host ? (int)request->host.len : 0,
                       request->host.ptr, STR_ARG(request->path), has_query ? "?" : "",
                       has_query ? (int)request->query.len : 0, request->query.ptr);
        found = find(script, str_from(name));
    }
    note(script, found ? found->name : name, request->asked, true);
    bool is_known = take(found, ret_answer);
    (void)pthread_mutex_unlock(&script->mutex);
    return is_known;
}

static bool is_asked(const struct asked *asked, const char *name)
{
    return name ? strcmp(asked->name, name) == 0 : asked->is_http;
}

uint32_t script_count(struct script *script, const char *name)
{
    (void)pthread_mutex_lock(&script->mutex);
    uint32_t count = 0;
    for (size_t i = 0; i < script->asked_count; i++) count += is_asked(&script->asked[i], name);
    (void)pthread_mutex_unlock(&script->mutex);
    return count;
}

const char *script_called(struct script *script, size_t number)
{
    (void)pthread_mutex_lock(&script->mutex);
    const char *name = NULL;
    for (size_t i = 0; i < script->asked_count && !name; i++) {
        if (script->asked[i].is_http) continue;
        if (number-- == 0) name = script->asked[i].name;
    }
    (void)pthread_mutex_unlock(&script->mutex);
    return name;
}

const char *script_asked(struct script *script, const char *name, uint32_t number)
{
    (void)pthread_mutex_lock(&script->mutex);
    const char *text = NULL;
    uint32_t count   = 0;
    for (size_t i = 0; i < script->asked_count; i++) {
        if (!is_asked(&script->asked[i], name)) continue;
        count++;
        if (number == 0 || count == number) text = script->asked[i].text;
    }
    (void)pthread_mutex_unlock(&script->mutex);
    return text;
}
