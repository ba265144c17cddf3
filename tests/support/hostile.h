/*
 * hostile: an HTTP server on 127.0.0.1 that misbehaves on demand, for tests of clients.
 *
 * What it does is chosen by the path:
 *
 *     /ok               200 "ok", keep-alive                /echo   200, the request's head as body
 *     /status/N         status N, empty                     /post   200, the request's body as body
 *     /headers          header lines without end            /line   one header line without end
 *     /huge             a body without end                  /bytes/N  a body of N bytes, chunked
 *     /bomb             gzip: zeros without end             /gzip   gzip of "zip"
 *     /hollow           gzip: nothing, without end
 *     /silent           reads, never answers                /stall  head and "x", then nothing
 *     /cut              announces 100 bytes, sends 5        /empty  closes without an answer
 *     /garbage          something that is not HTTP          /interim  103, then 200 "ok"
 *     /once             like /ok as a connection's first request, else closes without an answer
 *     /last             like /ok, then closes without having said so
 *     /to?URL           307 to URL                          /see?URL  303 to URL
 *     /events           a small event stream          /say?TEXT  200 TEXT, decoded, as JSON
 *     /session          a server of MCP 2025-11-25 without tools; its session is given back by
 * DELETE
 *
 * One thread per connection; they end with hostile_stop().
 */
#ifndef SUPPORT_HOSTILE_H
#define SUPPORT_HOSTILE_H

#include <stdint.h>

struct hostile;

/** Listens on a free port from now on; ends the test if it cannot. */
struct hostile *hostile_start(void);
void hostile_stop(struct hostile *hostile);

uint16_t hostile_port(const struct hostile *hostile);

/** Requests whose head and body have arrived; connections that were accepted, and that ended. */
unsigned hostile_requests(const struct hostile *hostile);
unsigned hostile_connections(const struct hostile *hostile);
unsigned hostile_ended(const struct hostile *hostile);

/** Sessions of /session that were opened, and that were given back. */
unsigned hostile_sessions(const struct hostile *hostile);
unsigned hostile_farewells(const struct hostile *hostile);

#endif
