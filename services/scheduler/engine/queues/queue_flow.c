#include "scheduler/engine/queues/queue_flow.h"

#include <stdbool.h>
#include <string.h>

enum { COUNTS = QUEUE_FLOW_SECONDS + 1, SECOND_US = 1'000'000 };

void queue_flow_add(struct queue_flow *flow, int64_t now_us)
{
    int64_t second = now_us / SECOND_US;
    if (second >= flow->second + COUNTS) memset(flow->counts, 0, sizeof flow->counts);
    if (second >= flow->second + COUNTS) flow->second = second;
    while (flow->second < second) flow->counts[++flow->second % COUNTS] = 0;
    flow->counts[second % COUNTS]++;
}

double queue_flow_per_second(const struct queue_flow *flow, int64_t now_us)
{
    int64_t second = now_us / SECOND_US;
    uint64_t sum   = 0;
    for (int64_t at = second - QUEUE_FLOW_SECONDS; at < second; at++) {
        bool is_known = at >= 0 && at <= flow->second && at > flow->second - COUNTS;
        if (is_known) sum += flow->counts[at % COUNTS];
    }
    return (double)sum / QUEUE_FLOW_SECONDS;
}
