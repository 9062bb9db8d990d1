# Runs a command, and ends it with everything that it started when standard input ends: the process that has the other
# end is gone, however it went. A shell, because it needs nothing but what every system has.
# $1 is the folder with the socket. It is removed where the other end is gone without a line: that ends this run alone.
# The rest is the command.
folder=$1
shift
exec 3<&0
# A handler and not an ignored signal, which the command would inherit.
ended=
trap ended=1 TERM
"$@" </dev/null 3<&- &
command=$!
(
  trap '' TERM
  read -r line <&3 || rm -rf -- "$folder"
  kill -s TERM 0
  # At most two seconds for an orderly end.
  sleep 2
  kill -s KILL 0
) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$command"
status=$?
# A signal ends the wait before the command has ended.
while kill -s 0 "$command" 2>/dev/null; do
  wait "$command"
  status=$?
done
# Nobody may be there to end what the command has started and left behind.
[ -z "$ended" ] || kill -s KILL 0
kill -s KILL "$watcher" 2>/dev/null
exit "$status"
