"""The configuration that `edgecvar serve --example` prints: every key, with what it is for."""

EXAMPLE = """\
# edgecvar serve CONFIG.yaml: many cameras, one bundle, events out, a page to look at.
# ${NAME} is a value of the environment, as for passwords; $${NAME} is the text itself. `--check` says what is wrong.
# Paths are relative to the folder that the command runs in. SIGHUP (systemctl reload) reads this file again: streams
# that it leaves as they are go on.

sources:
  pattern: test://      # made here, to see all of it work; your cameras in its place:
  # door: rtsp://viewer:${DOOR_PASSWORD}@10.0.0.7/stream1
  # yard:
  #   uri: rtsp://10.0.0.8/stream1
  #   every: 4          # sample one of every so many pictures; as the bundle says unless given
  #   timeout: 10       # seconds without data after which the camera is away, and tried again
  #   late: 1           # seconds by which a decision may be late; beyond, fewer pictures are sampled
  #   decoder: auto     # of I-pictures: auto, software, gstreamer, cuda
  # lobby: {uri: lobby.mp4, again: true}   # a file at its own speed; again: from the beginning at its end

# bundle: my.edgecvar   # the demo's unless given
# trust: KEY.pub        # refuse a bundle that none of these keys signed (docs/bundles.md); $EDGECVAR_TRUST unless given
# runner: auto          # auto, onnx, trt; also threads, device, dla, converter, max_batch
# precision: fp16

events:                 # when a label becomes an event; `edgecvar eval --thresholds` finds settings
  "on": 0.7             # its smoothed probability rises to this, ...
  hold: 0.2             # ... stays there for so many seconds, ...
  "off": 0.3            # ... and falls below this. Also smoothing, shortest, cooldown, background, labels.NAME

# clips:                # of the stream around each event, not encoded again
#   folder: /var/lib/edgecvar/clips
#   before: 2           # seconds before it, and `after`; `longest` in all
#   keep: 7d            # older ones are removed, and the oldest where all are larger than `size`
#   size: 2GB

# to:                   # who is told; what cannot be delivered is kept
#   - mqtt://edge:${MQTT_PASSWORD}@broker/edgecvar?discovery=homeassistant
#   - https://hooks.example.org/seen#secret=${HOOK_SECRET}
#   - sqlite:/var/lib/edgecvar/log.db
#   - metrics://127.0.0.1:9109

page:
  host: 127.0.0.1     # beyond this machine (0.0.0.0) only with a token
  port: 8470
  # token: ${EDGECVAR_TOKEN}   # at least 16 characters, such as what `openssl rand -hex 16` prints
  # names: [edge.example.org]  # under which browsers ask for it; addresses and the machine's own name need none
  # add: true         # whether sources may be added on the page; they are kept in `state`

# state: /var/lib/edgecvar   # where added sources are kept; beside this file, or in systemd's, unless given
# log: plain          # or json: one object a line
"""
