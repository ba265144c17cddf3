#include "llm-proxy/call/pulse.h"

#include "base/mem.h"
#include "llm-proxy/catalog/provider.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARE = 8 /* of the newest: one of so many */ };

struct beat {
    char provider[PROVIDER_NAME_MAX + 1];
    int64_t calls, streams;
    double answer_ms, first_event_ms;
};

struct pulse {
    struct beat beats[PULSE_PROVIDERS_MAX];
    size_t count;
};

struct pulse *pulse_new(void)
{
    return mem_new(1, sizeof(struct pulse));
}

void pulse_freep(struct pulse **pulse)
{
    free(*pulse);
    *pulse = NULL;
}

static const struct beat *find(const struct pulse *pulse, const char *provider)
{
    for (size_t i = 0; i < pulse->count; i++) {
        if (strcmp(pulse->beats[i].provider, provider) == 0) return &pulse->beats[i];
    }
    return NULL;
}

/* NULL: there are too many. */
static struct beat *beat_of(struct pulse *pulse, const char *provider)
{
    const struct beat *known = find(pulse, provider);
    if (known) return &pulse->beats[known - pulse->beats];
    if (pulse->count == PULSE_PROVIDERS_MAX) return NULL;
    struct beat *beat = &pulse->beats[pulse->count++];
    (void)snprintf(beat->provider, sizeof beat->provider, "%s", provider);
    return beat;
}

static void take(double *mean, int64_t *count, int64_t value)
{
    *mean += *count == 0 ? (double)value : ((double)value - *mean) / SHARE;
    (*count)++;
}

void pulse_answered(struct pulse *pulse, const char *provider, int64_t after_ms)
{
    struct beat *beat = pulse ? beat_of(pulse, provider) : NULL;
    if (beat) take(&beat->answer_ms, &beat->calls, after_ms);
}

void pulse_began(struct pulse *pulse, const char *provider, int64_t after_ms)
{
    struct beat *beat = pulse ? beat_of(pulse, provider) : NULL;
    if (beat) take(&beat->first_event_ms, &beat->streams, after_ms);
}

struct pulse_of pulse_look(const struct pulse *pulse, const char *provider)
{
    const struct beat *beat = pulse ? find(pulse, provider) : NULL;
    struct pulse_of seen    = {.answer_ms = -1, .first_event_ms = -1};
    if (!beat) return seen;
    seen.calls = beat->calls;
    if (beat->calls > 0) seen.answer_ms = (int64_t)llround(beat->answer_ms);
    if (beat->streams > 0) seen.first_event_ms = (int64_t)llround(beat->first_event_ms);
    return seen;
}
