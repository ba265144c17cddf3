/*
 * tutti.variant: chooses one of several names by their weights (E17). The same experiment and key
 * give the same name in every run of the namespace; which one is in the journal, and a label.
 */
#include "base/hash.h"
#include "scheduler/decide/tasks/tasks.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    EXPERIMENT_MAX = 55,  /* characters: with the prefix a label's name */
    LABEL_MAX      = 255, /* bytes of a label's value */
    VARIANTS_MAX   = 1'000,
    HASH_PART      = 8, /* bytes that decide */
};

static bool is_label(str text)
{
    if (text.len == 0 || text.len > EXPERIMENT_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c        = text.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool is_inner = i > 0 && i + 1 < text.len;
        if (!is_plain && !(c == '-' && is_inner)) return false;
    }
    return true;
}

/* The sum of the weights; 0: there is something wrong with them. */
static uint64_t sum_of(json weights)
{
    uint64_t sum = 0;
    if (!json_is(weights, JSON_OBJECT) || json_count(weights) > VARIANTS_MAX) return 0;
    for (size_t i = 0; i < json_count(weights); i++) {
        json weight = json_value_at(weights, i);
        if (!json_is(weight, JSON_INT) || weight.integer < 0) return 0;
        if (json_key_at(weights, i).len > LABEL_MAX) return 0;
        sum += (uint64_t)weight.integer;
        if (sum > INT64_MAX) return 0;
    }
    return sum;
}

/* Of each of the parts, followed by a zero byte. */
static uint64_t hash_of(str namespace, str experiment, str key)
{
    const bytes zero    = {"", 1};
    const bytes parts[] = {bytes_from(namespace), zero, bytes_from(experiment), zero,
                           bytes_from(key),       zero};
    uint8_t digest[SHA256_SIZE];
    sha256_parts(parts, ARRAY_LEN(parts), digest);
    uint64_t number = 0;
    for (int i = 0; i < HASH_PART; i++) number = number << 8 | digest[i];
    return number;
}

/* UTF-8 sorts by its bytes as the code points do. */
static bool is_before(str a, str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order      = memcmp(a.ptr, b.ptr, shorter);
    return order != 0 ? order < 0 : a.len < b.len;
}

/* The smallest name above `after` (ptr NULL: the first of all). */
static size_t next_name(json weights, str after)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < json_count(weights); i++) {
        str name = json_key_at(weights, i);
        if (after.ptr && !is_before(after, name)) continue;
        if (best == SIZE_MAX || is_before(name, json_key_at(weights, best))) best = i;
    }
    return best;
}

static str choose(json weights, uint64_t at)
{
    str name = {};
    for (size_t i = 0; i < json_count(weights); i++) {
        size_t index    = next_name(weights, name);
        uint64_t weight = (uint64_t)json_value_at(weights, index).integer;
        name            = json_key_at(weights, index);
        if (at < weight) return name;
        at -= weight;
    }
    return name;
}

static status variant(struct scene *scene, json *ret_label, json *ret_choice, json *ret_error)
{
    CLEANUP(json_unrefp) json with = json_invalid();
    TRY(scene_eval(scene, scene->task->call.with, scene->input, &with, ret_error));
    json experiment               = json_get_text(with, "experiment");
    json weights                  = json_get_text(with, "weights");
    CLEANUP(json_unrefp) json key = json_ref(json_get_text(with, "key"));
    uint64_t sum                  = sum_of(weights);
    if (!json_is(experiment, JSON_TEXT) || !is_label(json_str(experiment))) {
        return scene_fail(scene, ERROR_VALIDATION,
                          "experiment: a DNS label of at most 55 characters", ret_error);
    }
    if (sum == 0) {
        return scene_fail(scene, ERROR_VALIDATION,
                          "weights: whole numbers from 0, and one of them above", ret_error);
    }
    if (json_is(key, JSON_INVALID)) json_replace(&key, json_text_from(scene->run->id.text));
    if (!json_is(key, JSON_TEXT)) json_replace(&key, json_to_text_new(key));

    str namespace = str_from(scene->run->workflow->namespace_);
    str name      = choose(weights, hash_of(namespace, json_str(experiment), json_str(key)) % sum);
    char label[EXPERIMENT_MAX + 16];
    (void)snprintf(label, sizeof label, "variant." STR_FMT, STR_ARG(json_str(experiment)));
    *ret_choice = json_text_new(name);
    *ret_label  = json_object_new(1);
    json_object_put_text(ret_label, label, json_ref(*ret_choice));
    return STATUS_OK;
}

void variant_begin(struct decision *decision, struct activation *activation)
{
    struct scene scene               = scene_of(decision->run, decision->env, activation);
    CLEANUP(json_unrefp) json choice = json_invalid();
    json label                       = json_invalid();
    json error                       = json_invalid();
    if (variant(&scene, &label, &choice, &error) != STATUS_OK) {
        task_fault(decision, activation, error);
        return;
    }
    struct event event = {
        .kind = EVENT_RUN_LABELLED, .activation = activation->slot, .value = label};
    (void)decide_emit(decision, &event);
    task_complete(decision, activation, choice, NULL);
}
