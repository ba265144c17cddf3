#include "tool-adapter/embedding/embed_params.h"

#include "base/assert.h"
#include "base/mem.h"
#include "json/json_text.h"

#include <math.h>
#include <stdlib.h>

enum { PLACES = EMBED_TEXTS_MAX + 1 }; /* one more says that there are too many */

/* A vector that is left out; views of the parameters and the manifest, which are there until a
 * cancel. */
struct place {
    str list;     /* the parameter whose objects it is of; empty: it is a parameter itself */
    size_t index; /* of the object */
    str name, text;
};

struct embed_params {
    struct work work;
    struct embed_desk *desk;
    struct embed_params_request request; /* its texts in the arena; `params` only until a cancel */
    struct arena *arena;
    struct place *places;
    str *texts; /* in the arena */
    size_t count;
    double *numbers; /* of all vectors, as they are sent */
    atomic_bool is_cancelled;
    struct embed_answer answer;
    Pb__Usage usage;
    status code;
    struct error error;
};

/* --- places ------------------------------------------------------------------------------------
 */

struct finding {
    struct place *places; /* PLACES of them; NULL: they are only counted */
    size_t count;
};

static bool is_absent(json value)
{
    return json_is(value, JSON_INVALID) || json_is(value, JSON_NULL);
}

/* Those of one map, by the schemas of its members; `place` says where it is. */
static void find_in(struct finding *found, json properties, json map, struct place place)
{
    for (size_t i = 0; json_is(properties, JSON_OBJECT) && i < json_count(properties); i++) {
        json source = json_get_text(json_value_at(properties, i), "embed");
        place.name  = json_key_at(properties, i);
        if (!json_is(source, JSON_TEXT) || !is_absent(json_get(map, place.name))) continue;
        json text    = json_get(map, json_str(source));
        bool is_said = json_is(text, JSON_TEXT) && json_str(text).len > 0;
        if (!is_said || found->count == PLACES) continue;
        place.text = json_str(text);
        if (found->places) found->places[found->count] = place;
        found->count++;
    }
}

static void find_all(struct finding *found, const struct manifest_action *action, json params)
{
    json properties = json_get_text(action->params, "properties");
    if (!json_is(params, JSON_OBJECT)) return;
    find_in(found, properties, params, (struct place){});
    for (size_t i = 0; i < json_count(properties); i++) {
        struct place place = {.list = json_key_at(properties, i)};
        json items         = json_get_text(json_value_at(properties, i), "items");
        json list          = json_get(params, place.list);
        for (; json_is(list, JSON_ARRAY) && place.index < json_count(list); place.index++) {
            find_in(found, json_get_text(items, "properties"), json_at(list, place.index), place);
        }
    }
}

bool embed_params_are_due(const struct manifest_action *action, json params)
{
    struct finding found = {};
    find_all(&found, action, params);
    return found.count > 0;
}

/* --- vectors -----------------------------------------------------------------------------------
 */

static json vector_new(const struct embed_params *call, size_t at)
{
    size_t dimensions = call->answer.dimensions;
    json vector       = json_array_new(dimensions);
    for (size_t i = 0; i < dimensions; i++) {
        json_array_push(&vector, json_real(call->numbers[at * dimensions + i]));
    }
    return vector;
}

/* What is changed has one owner, so that nothing else is copied. */
static void fill(json *params, const struct place *place, json vector)
{
    if (place->list.len == 0) {
        json_object_put(params, place->name, vector);
        return;
    }
    json list = json_ref(json_get(*params, place->list));
    json_object_put(params, place->list, json_null());
    json one = json_ref(json_at(list, place->index));
    json_array_set(&list, place->index, json_null());
    json_object_put(&one, place->name, vector);
    json_array_set(&list, place->index, one);
    json_object_put(params, place->list, list);
}

/* --- the question ------------------------------------------------------------------------------
 */

static void call_free(struct embed_params *call)
{
    call->desk->calls--;
    arena_free(call->arena);
    free(call);
}

static status ask(struct embed_params *call, struct error *reterr)
{
    static const double places            = 1e9;
    const struct embed_params_request *of = &call->request;
    const struct embedder *embedder       = &call->desk->embedder;
    const struct embed_ask question       = {.model           = of->model,
                                             .tenant          = of->namespace,
                                             .payer           = of->payer,
                                             .texts           = call->texts,
                                             .count           = call->count,
                                             .idempotency_key = of->idempotency_key,
                                             .arena           = call->arena,
                                             .is_cancelled    = &call->is_cancelled,
                                             .deadline_ms     = of->until_ms};
    TRY(embedder->embed(embedder->self, &question, &call->answer, &call->usage, reterr));
    size_t count  = call->count * call->answer.dimensions;
    call->numbers = arena_alloc(call->arena, count * sizeof *call->numbers + 1);
    if (count == 0) return fail(reterr, STATUS_UNAVAILABLE, "the embedding model answered nothing");
    if (!call->numbers) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the vectors are too large");
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(call->answer.vectors[i])) {
            return fail(reterr, STATUS_UNAVAILABLE, "the embedding model answered no numbers");
        }
        call->numbers[i] = rint((double)call->answer.vectors[i] * places) / places;
    }
    return STATUS_OK;
}

static void run(void *context)
{
    struct embed_params *call = context;
    call->code                = STATUS_CANCELLED;
    if (!atomic_load(&call->is_cancelled)) call->code = ask(call, &call->error);
}

static void done(void *context)
{
    struct embed_params *call            = context;
    const struct embed_params_request of = call->request;
    CLEANUP(json_unrefp) json params     = json_invalid();
    if (!atomic_load(&call->is_cancelled)) {
        params = json_ref(of.params);
        for (size_t i = 0; call->code == STATUS_OK && i < call->count; i++) {
            fill(&params, &call->places[i], vector_new(call, i));
        }
        of.done(call->code, &call->error, params, call->usage.calls > 0 ? &call->usage : NULL,
                of.context);
    }
    call_free(call);
}

static status copy(struct arena *arena, str *text, struct error *reterr)
{
    char *made = arena_strdup(arena, *text);
    if (!made) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the call takes too much memory");
    text->ptr = made;
    return STATUS_OK;
}

static status prepare(struct embed_params *call, struct error *reterr)
{
    struct embed_params_request *of = &call->request;
    struct finding found = {.places = arena_alloc(call->arena, PLACES * sizeof *found.places)};
    call->texts          = arena_alloc(call->arena, PLACES * sizeof *call->texts);
    ASSERT(found.places && call->texts);
    find_all(&found, of->action, of->params);
    call->places = found.places;
    call->count  = found.count;
    if (call->count > EMBED_TEXTS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "over %d texts to be embedded",
                    EMBED_TEXTS_MAX);
    }
    /* The thread may read them when the call is long cancelled and its configuration gone. */
    for (size_t i = 0; i < call->count; i++) {
        call->texts[i] = found.places[i].text;
        TRY(copy(call->arena, &call->texts[i], reterr));
    }
    TRY(copy(call->arena, &of->model, reterr));
    TRY(copy(call->arena, &of->namespace, reterr));
    TRY(copy(call->arena, &of->idempotency_key, reterr));
    return copy(call->arena, &of->payer.key_id, reterr);
}

status embed_params_start(struct embed_desk *desk, const struct embed_params_request *request,
                          struct embed_params **ret_call, struct error *reterr)
{
    if (desk->calls == EMBED_CALLS_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "%d calls wait for vectors",
                    EMBED_CALLS_MAX);
    }
    struct embed_params *call = mem_new(1, sizeof *call);
    call->work                = (struct work){.run = run, .done = done, .context = call};
    call->desk                = desk;
    call->request             = *request;
    call->arena               = arena_new(EMBED_ARENA_MAX);
    desk->calls++;
    pb__usage__init(&call->usage);
    status code = prepare(call, reterr);
    if (code != STATUS_OK) {
        call_free(call);
        return code;
    }
    work_pool_run(desk->pool, &call->work);
    *ret_call = call;
    return STATUS_OK;
}

void embed_params_cancel(struct embed_params *call)
{
    if (!call) return;
    atomic_store(&call->is_cancelled, true);
    if (work_pool_take_back(call->desk->pool, &call->work)) call_free(call);
}
