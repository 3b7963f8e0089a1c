# em_websocket.rb - Debian's ruby-em-websocket as a server for the tests of the client: see peers.py.

require "em-websocket"

$stdout.sync = true

def answer(peer, message)
  command, rest = message.split(" ", 2)
  case command
  when "swale:close"
    code, text = rest.split(" ", 2)
    peer.close(code.to_i, text)
  when "swale:ping"
    peer.ping(rest)
  else
    peer.send_text(message)
  end
end

port, _, certificate, key = ARGV
options = certificate ? { secure: true, tls_options: { cert_chain_file: certificate, private_key_file: key } } : {}

EM.run do
  server = EM.start_server("127.0.0.1", port.to_i, EventMachine::WebSocket::Connection, options) do |peer|
    peer.onmessage { |message| answer(peer, message) }
    peer.onbinary { |message| peer.send_binary(message) }
    peer.onpong { |data| peer.send_text("pong #{data}") }
    peer.onclose { |event| puts "closed #{event[:code]} #{event[:reason]}" }
    peer.onerror { |error| puts "error #{error.message}" }
  end
  puts "listening #{Socket.unpack_sockaddr_in(EM.get_sockname(server))[0]}"
end
