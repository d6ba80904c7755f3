"""An RTSP server on the loopback, of GStreamer, for Debian's python3: `rtsp_server.py PORT [udp] [bframes] [password]`.

PORT 0 takes a free one; the port is printed when it listens. It serves /live and
/h265, `wide` ones, at 60 pictures a second where `fast`, and with `password` to user:secret alone.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

SOURCE = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width={},height=240,framerate={}/1"
H264 = "x264enc speed-preset=ultrafast key-int-max=15 {} ! video/x-h264,profile={} ! "
H264 += "rtph264pay name=pay0 config-interval=-1 pt=96"
H265 = "x265enc speed-preset=ultrafast tune=zerolatency key-int-max=15 ! rtph265pay name=pay0 config-interval=-1 pt=96"


def factory(pipeline):
    made = GstRtspServer.RTSPMediaFactory()
    made.set_launch(f"( {pipeline} )")
    made.set_shared(True)
    return made


def main():
    Gst.init(None)
    port, *words = sys.argv[1:]
    rate = "60" if "fast" in words else "15"
    encoder = H264.format(
        *("bframes=2 b-adapt=false", "main") if "bframes" in words else ("tune=zerolatency", "baseline")
    )
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    live = factory(f"{SOURCE.format(640 if 'wide' in words else 320, rate)} ! {encoder}")
    other = factory(f"{SOURCE.format(320, rate)} ! {H265}")
    if "udp" in words:
        live.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    if "password" in words:
        locked(server, live)
    points = server.get_mount_points()
    points.add_factory("/live", live)
    points.add_factory("/h265", other)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


def locked(server, made):
    """Only user:secret may play it."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic("user", "secret"), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role("user")
    permissions.add_permission_for_role("user", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    permissions.add_permission_for_role("user", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    made.set_permissions(permissions)


main()
