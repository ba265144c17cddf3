/** page_faults: why there is no page, as manifests see it: an answer with a status and {type,
 * status?, detail}. The types: web/visit.h. Any thread. */
#ifndef TOOL_ADAPTER_PAGE_FAULTS_H
#define TOOL_ADAPTER_PAGE_FAULTS_H

#include "json/json.h"

/** Nobody answered at all: the request fails, instead of having an answer. */
bool page_fault_is_failure(const char *type);

/** The status of the answer; `http_status` is the page's own, 0: none. */
int page_fault_status(const char *type, int http_status);

/** Owned. */
json page_fault_new(const char *type, int http_status, const char *detail);

#endif
