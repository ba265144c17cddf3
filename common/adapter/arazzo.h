/**
 * arazzo: the skeleton of a manifest from a description of workflows, Arazzo 1.0: each of them is
 * an action with `steps`, whose requests are those of the OpenAPI descriptions that it names.
 *
 * Inputs become params, outputs of steps and workflows `output`, success criteria `ok_when`, and
 * runtime expressions jq. What manifests have nothing for (jumps, retries of a step, criteria in
 * JSONPath or XPath, cookies, workflows within workflows, a second API) is a warning, and a comment
 * where it is missed. All else as of openapi.h.
 *
 * Source: spec.openapis.org, Arazzo Specification 1.0.1. Pure; any thread.
 */
#ifndef ADAPTER_ARAZZO_H
#define ADAPTER_ARAZZO_H

#include "base/buf.h"
#include "base/diagnostic.h"
#include "base/status.h"
#include "json/json.h"

enum {
    ARAZZO_SOURCES_MAX   = 16,
    ARAZZO_WORKFLOWS_MAX = 100,
    ARAZZO_STEPS_MAX     = 16, /* as of manifests */
    ARAZZO_INPUTS_MAX    = 100,
    ARAZZO_TEXT_MAX      = 64 << 10, /* bytes of what an expression becomes */
};

bool arazzo_is(json document);

/** The URLs of its sources in their order, views; those that are no OpenAPI are left out by an
 * empty one. Returns how many, at most ARAZZO_SOURCES_MAX. */
size_t arazzo_sources(json document, str ret_urls[ARAZZO_SOURCES_MAX]);

struct arazzo_options {
    const char *name;      /* of the adapter */
    const char *workflows; /* workflowIds, separated by commas; NULL: all */
    const json *sources;   /* descriptions, in the order of arazzo_sources() */
    size_t source_count;
};

/** Appends the manifest. What is wrong, and what is not taken over, goes to `list`, at its pointer
 * and without a line. INVALID_ARGUMENT: something is wrong; RESOURCE_EXHAUSTED. */
status arazzo_skeleton(json document, const struct arazzo_options *options, struct buf *out,
                       struct diagnostics *list, struct error *reterr);

#endif
