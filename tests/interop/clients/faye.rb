# faye.rb - Debian's ruby-faye-websocket, on EventMachine, as a client of ours: see systems.py.

require "faye/websocket"
require "eventmachine"

SIZES = [0, 1, 125, 126, 65_535, 65_536, 1 << 20]
TEXT = (0...1 << 18).to_a.join(" ")
BYTES = (0...1 << 20).map { |n| n * 7 + n / 251 & 255 }
TEXTS = SIZES.map { |size| TEXT[0, size] } + (0...100).map { |number| "message #{number}" }
BINARIES = SIZES.map { |size| BYTES[0, size] }

url, _, trusted = ARGV
$stdout.sync = true

EM.run do
  tls = trusted ? { root_cert_file: trusted } : {}
  peer = Faye::WebSocket::Client.new(url, [], tls: tls)
  awaited = TEXTS + BINARIES
  peer.on(:open) do
    puts "agreed #{peer.headers["Sec-WebSocket-Extensions"] ? "deflate" : "plain"}"
    awaited.each { |message| peer.send(message) }
  end
  peer.on(:message) do |event|
    abort "another message" unless event.data == awaited.shift
    peer.ping("there?") { peer.close(4000, "bye") } if awaited.empty?
  end
  peer.on(:error) { |event| abort event.message }
  peer.on(:close) do |event|
    puts "closed #{event.code}"
    EM.stop
  end
end
