;; Tasks: calls of async functions between fused instances, as cells (`waitables.wat`).
;;
;; One cell holds the spec's Task of the callee and the Subtask of the caller, since one lower is paired with one lift:
;;
;;   +0   a waitable, whose state is the subtask's: 0 STARTING 1 STARTED 2 RETURNED 3 CANCELLED_BEFORE_STARTED
;;        4 CANCELLED_BEFORE_RETURNED
;;   +32  the call site: which callback to run, and how to return
;;   +36  flags, below
;;   +40  the scope of the borrows that the callee holds, or 0
;;   +44  the lenders that wait for the resolve event: a chain of cells, or 0
;;   +48  where it is parked: 0 nowhere (it runs) 1 in the ring of a set 2 ready, it yielded 4 ready, its set had an event
;;        16 at a gate (`gates.wat`)
;;   +52  the set, or the gate, that it waits for
;;   +56  link of the ring that it is parked in
;;   +64  context slot 0, +72 context slot 1, while it is parked
;;   +80  where the result goes: a pointer of the caller's, or the flat result itself, as 64 bits
;;   +120 the handle table of the callee
;;
;; A task that the host called is a *root*. It runs only inside the engine's own task for that call, since what it
;; returns, it returns through that; its words from +80 on are `roots.wat`'s.
;;
;; Flags: 1 the callee has not exited. 2 the caller knows the subtask. 4 the caller asked for cancellation. 8 that is not
;; delivered yet, 16 it is. 32 the task has returned or cancelled. 64 the caller knows that. 128 it is a root. 256 the
;; caller waits for it in a call.
;;
;; A caller that waits for a set on its stack, or yields there, has a *ticket* where a task would be: a cell with flag
;; 1024, whose state becomes 1 when its turn has come.
;;
;; A cell is free when neither side needs it. What is current (whose code runs) is the emitted code's affair: `run` calls
;; a task's callback as itself.
;;
;; The pump runs what is ready, from where no guest code is below it on the stack, or above a task that is blocked there.
;; Then it puts aside tasks of instances that are on that stack: into the ring at 0x1C, in the first rows of the memory,
;; until what is blocked goes on.
(module
  (import "handles" "memory" (memory 4))
  (import "handles" "new-own" (func $row.new (param i32 i32 i32) (result i32)))
  (import "handles" "take-own" (func $row.take (param i32 i32 i32) (result i32)))
  (import "handles" "rep" (func $row.get (param i32 i32 i32) (result i32)))
  (import "handles" "scope-exit" (func $scope_exit (param i32)))
  (import "waitables" "new-cell" (func $cell.new (result i32)))
  (import "waitables" "free-cell" (func $cell.free (param i32)))
  (import "waitables" "order" (func $order (param i32) (result i32)))
  (import "waitables" "push" (func $ring.push (param i32 i32)))
  (import "waitables" "remove" (func $ring.remove (param i32 i32)))
  (import "waitables" "pop" (func $ring.pop (param i32) (result i32)))
  (import "waitables" "notify" (func $notify (param i32 i32)))
  (import "waitables" "forget" (func $forget (param i32)))
  (import "waitables" "take-event" (func $set.take (param i32) (result i32 i32 i32)))
  (import "waitables" "join" (func $join (param i32 i32)))
  (import "emitted" "run" (func $run (param i32 i32 i32 i32) (result i32)))
  (import "emitted" "wake" (func $wake_root (param i32)))
  (import "emitted" "block" (func $block (param i32)))
  (import "emitted" "gate" (func $gate (param i32)))
  (import "emitted" "set aside" (func $set_aside (param i32) (result i32)))
  (import "trap" "callback returned an unknown code" (func $trap_code))
  (import "trap" "task exited without a result" (func $trap_no_result))
  (import "trap" "task already resolved" (func $trap_resolved))
  (import "trap" "task was not cancelled" (func $trap_not_cancelled))
  (import "trap" "subtask already resolved" (func $trap_delivered))
  (import "trap" "subtask not resolved" (func $trap_not_delivered))
  (import "trap" "subtask cancelled twice" (func $trap_cancelled_twice))
  (import "trap" "waitable in synchronous use" (func $trap_sync_use))

  ;; The root in whose engine task we are, or 0.
  (global $root (mut i32) (i32.const 0))

  ;; --- calls -----------------------------------------------------------------------------------------------------

  ;; A task that a fused caller calls; it has started.
  (func $begin (export "begin") (param $site i32) (param $table i32) (result i32)
    (local $task i32)
    (local.set $task (call $cell.new))
    (i32.store offset=12 (local.get $task) (call $order (i32.const 1)))
    (i32.store offset=24 (local.get $task) (i32.const 1))
    (i32.store offset=32 (local.get $task) (local.get $site))
    (i32.store offset=36 (local.get $task) (i32.const 3))
    (i32.store offset=120 (local.get $task) (local.get $table))
    local.get $task)

  ;; A task that the host calls.
  (func $begin_root (export "begin-root") (param $site i32) (param $table i32) (result i32)
    (local $task i32)
    (local.set $task (call $begin (local.get $site) (local.get $table)))
    (i32.store offset=36 (local.get $task) (i32.const 129))
    local.get $task)

  ;; What the callee's function or callback returned: the task exits or parks.
  (func $returned (export "returned") (param $task i32) (param $packed i32)
    (local $code i32) (local $flags i32) (local $set i32)
    loop $again
      (local.set $code (i32.and (local.get $packed) (i32.const 15)))
      (local.set $flags (i32.load offset=36 (local.get $task)))
      (if (i32.eqz (local.get $code)) (then (call $exit (local.get $task)) (return)))
      (if (i32.gt_u (local.get $code) (i32.const 2)) (then (call $trap_code) unreachable))
      (if (i32.eq (local.get $code) (i32.const 2))
        (then
          (local.set $set
            (call $row.get
              (i32.load offset=120 (local.get $task))
              (i32.const 3)
              (i32.shr_u (local.get $packed) (i32.const 4))))))
      (if (i32.and (local.get $flags) (i32.const 8))
        (then
          ;; It was cancelled while it ran: it hears of it now.
          (local.set $packed (call $cancel_now (local.get $task)))
          (br $again)))
    end
    (if (i32.eq (local.get $code) (i32.const 1))
      (then
        (i32.store offset=48 (local.get $task) (i32.const 2))
        (call $ring.push (i32.const 0x08) (i32.add (local.get $task) (i32.const 56))))
      (else
        (i32.store offset=52 (local.get $task) (local.get $set))
        (i32.store offset=12 (local.get $set) (i32.add (i32.load offset=12 (local.get $set)) (i32.const 1)))
        (call $park (local.get $task) (local.get $set)))))

  ;; Waits for a set, or is ready at once if it has an event.
  (func $park (param $task i32) (param $set i32)
    (if (i32.load offset=4 (local.get $set))
      (then
        (i32.store offset=48 (local.get $task) (i32.const 4))
        (call $ring.push (i32.const 0x04) (i32.add (local.get $task) (i32.const 56))))
      (else
        (i32.store offset=48 (local.get $task) (i32.const 1))
        (call $ring.push
          (i32.add (local.get $set) (i32.const 8))
          (i32.add (local.get $task) (i32.const 56))))))

  ;; A caller waits for a set on its stack; its ticket.
  (func $ticket (export "ticket") (param $set i32) (result i32)
    (local $ticket i32)
    (local.set $ticket (call $cell.new))
    (i32.store offset=36 (local.get $ticket) (i32.const 1024))
    (i32.store offset=52 (local.get $ticket) (local.get $set))
    (i32.store offset=12 (local.get $set) (i32.add (i32.load offset=12 (local.get $set)) (i32.const 1)))
    (call $park (local.get $ticket) (local.get $set))
    local.get $ticket)

  ;; A caller yields on its stack; its ticket.
  (func (export "yield-ticket") (result i32)
    (local $ticket i32)
    (local.set $ticket (call $cell.new))
    (i32.store offset=36 (local.get $ticket) (i32.const 1024))
    (i32.store offset=48 (local.get $ticket) (i32.const 2))
    (call $ring.push (i32.const 0x08) (i32.add (local.get $ticket) (i32.const 56)))
    local.get $ticket)

  (func $exit (export "exit") (param $task i32)
    (local $flags i32)
    (local.set $flags (i32.load offset=36 (local.get $task)))
    (if (i32.eqz (i32.and (local.get $flags) (i32.const 32))) (then (call $trap_no_result) unreachable))
    (i32.store offset=36 (local.get $task) (i32.and (local.get $flags) (i32.const -2)))
    ;; Nobody knows it: neither a caller nor the engine.
    (if (i32.eqz (i32.and (local.get $flags) (i32.const 130))) (then (call $cell.free (local.get $task)))))

  ;; What an async lower returns after the call: the state, and a handle unless the call is over. Lenders of a call that
  ;; is over have been released by the caller.
  (func $status (export "status") (param $task i32) (param $table i32) (result i32)
    (local $index i32)
    (if (i32.ge_u (i32.load offset=24 (local.get $task)) (i32.const 2))
      (then
        (call $let_go (local.get $task))
        (return (i32.const 2))))
    (local.set $index (call $row.new (local.get $table) (i32.const 2) (local.get $task)))
    (i32.store offset=20 (local.get $task) (local.get $index))
    (i32.store offset=28 (local.get $task) (local.get $table))
    (i32.or (i32.shl (local.get $index) (i32.const 4)) (i32.load offset=24 (local.get $task))))

  ;; Whether the task has returned or cancelled.
  (func $resolved (export "resolved") (param $task i32) (result i32)
    (i32.ge_u (i32.load offset=24 (local.get $task)) (i32.const 2)))

  ;; The caller needs the cell no more.
  (func $let_go (export "let-go") (param $task i32)
    (local $flags i32)
    (local.set $flags (i32.and (i32.load offset=36 (local.get $task)) (i32.const -3)))
    (i32.store offset=36 (local.get $task) (local.get $flags))
    (if (i32.eqz (i32.and (local.get $flags) (i32.const 1))) (then (call $cell.free (local.get $task)))))

  ;; --- task.return, task.cancel ----------------------------------------------------------------------------------

  ;; Task.return_, before the result crosses.
  (func $returning (export "returning") (param $task i32)
    (if (i32.and (i32.load offset=36 (local.get $task)) (i32.const 32)) (then (call $trap_resolved) unreachable))
    (call $end_scope (local.get $task)))

  (func $end_scope (param $task i32)
    (if (i32.load offset=40 (local.get $task))
      (then
        (call $scope_exit (i32.load offset=40 (local.get $task)))
        (i32.store offset=40 (local.get $task) (i32.const 0)))))

  ;; Task.return_, afterwards, and Subtask.resolve.
  (func $resolve (export "resolve") (param $task i32)
    (call $resolve_as (local.get $task) (i32.const 2)))

  (func $resolve_as (param $task i32) (param $state i32)
    (i32.store offset=36 (local.get $task) (i32.or (i32.load offset=36 (local.get $task)) (i32.const 32)))
    (i32.store offset=24 (local.get $task) (local.get $state))
    (if (i32.load offset=20 (local.get $task)) (then (call $notify (local.get $task) (i32.const 1)))))

  ;; canon task.cancel.
  (func $cancel (export "cancel") (param $task i32)
    (local $flags i32)
    (local.set $flags (i32.load offset=36 (local.get $task)))
    (if (i32.ne (i32.and (local.get $flags) (i32.const 48)) (i32.const 16))
      (then (call $trap_not_cancelled) unreachable))
    (call $end_scope (local.get $task))
    (call $resolve_as (local.get $task) (i32.const 4)))

  ;; --- subtasks --------------------------------------------------------------------------------------------------

  ;; The payload of a subtask's event. Once it tells of the result, the lenders have their handles back.
  (func $deliver_subtask (export "payload") (param $task i32) (result i32)
    (local $state i32)
    (local.set $state (i32.load offset=24 (local.get $task)))
    (if (i32.ge_u (local.get $state) (i32.const 2))
      (then
        (i32.store offset=36 (local.get $task) (i32.or (i32.load offset=36 (local.get $task)) (i32.const 64)))
        (call $release (local.get $task))))
    local.get $state)

  ;; canon subtask.drop; the row is gone already.
  (func $drop (export "drop") (param $task i32)
    (if (i32.eqz (i32.and (i32.load offset=36 (local.get $task)) (i32.const 64)))
      (then (call $trap_not_delivered) unreachable))
    (call $join (local.get $task) (i32.const 0))
    (call $let_go (local.get $task)))

  ;; canon subtask.cancel: the state, or -1 if it is not resolved and nobody shall wait.
  (func $cancel_subtask (export "cancel-subtask") (param $task i32) (param $async i32) (result i32)
    (local $flags i32)
    (local.set $flags (i32.load offset=36 (local.get $task)))
    (if (i32.and (local.get $flags) (i32.const 64)) (then (call $trap_delivered) unreachable))
    (if (i32.and (local.get $flags) (i32.const 4)) (then (call $trap_cancelled_twice) unreachable))
    (if (i32.load (local.get $task)) (then (call $trap_sync_use) unreachable))
    (if (i32.eqz (call $resolved (local.get $task)))
      (then
        (i32.store offset=36 (local.get $task) (i32.or (local.get $flags) (i32.const 12)))
        ;; In its event loop it hears of it at once, unless its instance is on the stack: then it is ready, for when that
        ;; has gone on; otherwise when it gets there.
        (if (i32.eq (i32.load offset=48 (local.get $task)) (i32.const 16))
          (then (call $not_started (local.get $task)))
          (else
            (if (i32.load offset=48 (local.get $task))
              (then
                (if (i32.eqz (call $set_aside (local.get $task)))
                  (then
                    (call $unpark (local.get $task))
                    (call $returned (local.get $task) (call $cancel_now (local.get $task))))
                  (else
                    (if (i32.eq (i32.load offset=48 (local.get $task)) (i32.const 1))
                      (then
                        (call $unpark (local.get $task))
                        (i32.store offset=48 (local.get $task) (i32.const 2))
                        (call $ring.push (i32.const 0x08) (i32.add (local.get $task) (i32.const 56)))))))))))
        (if (i32.eqz (call $resolved (local.get $task)))
          (then
            (if (local.get $async) (then (return (i32.const -1))))
            (i32.store offset=36 (local.get $task) (i32.or (i32.load offset=36 (local.get $task)) (i32.const 256)))
            (call $block (local.get $task))
            (i32.store offset=36 (local.get $task)
              (i32.and (i32.load offset=36 (local.get $task)) (i32.const -257)))))))
    ;; Not by its code: one that was cancelled before it started has had no event.
    (call $forget (local.get $task))
    (call $deliver_subtask (local.get $task)))

  ;; It was cancelled before it started, and never will.
  (func $not_started (param $task i32)
    (call $ring.remove
      (i32.add (i32.load offset=52 (local.get $task)) (i32.const 4))
      (i32.add (local.get $task) (i32.const 56)))
    (i32.store offset=48 (local.get $task) (i32.const 0))
    (i32.store offset=36 (local.get $task)
      (i32.or
        (i32.and (i32.load offset=36 (local.get $task)) (i32.const -2))
        (i32.const 32)))
    (i32.store offset=24 (local.get $task) (i32.const 3)))

  (func $unpark (param $task i32)
    (local $parked i32) (local $set i32) (local $ring i32)
    (local.set $parked (i32.load offset=48 (local.get $task)))
    (local.set $ring (i32.const 0x08))
    (if (i32.ne (local.get $parked) (i32.const 2))
      (then
        (local.set $set (i32.load offset=52 (local.get $task)))
        (i32.store offset=12 (local.get $set) (i32.sub (i32.load offset=12 (local.get $set)) (i32.const 1)))
        (local.set $ring
          (select
            (i32.add (local.get $set) (i32.const 8))
            (i32.const 0x04)
            (i32.eq (local.get $parked) (i32.const 1))))))
    (i32.store offset=48 (local.get $task) (i32.const 0))
    (call $ring.remove (local.get $ring) (i32.add (local.get $task) (i32.const 56))))

  ;; TASK_CANCELLED; returns what the callback does.
  (func $cancel_now (param $task i32) (result i32)
    (i32.store offset=36 (local.get $task)
      (i32.or
        (i32.and (i32.load offset=36 (local.get $task)) (i32.const -9))
        (i32.const 16)))
    (call $run (local.get $task) (i32.const 6) (i32.const 0) (i32.const 0)))

  ;; The host cancels a root. `$apart`: it is in no ring, since its own engine task was to run it.
  (func (export "cancel-root") (param $task i32) (param $apart i32)
    (local $set i32)
    (if (i32.eqz (i32.and (i32.load offset=36 (local.get $task)) (i32.const 1))) (then (return)))
    (if (local.get $apart)
      (then
        (if (i32.eq (i32.load offset=48 (local.get $task)) (i32.const 4))
          (then
            (local.set $set (i32.load offset=52 (local.get $task)))
            (i32.store offset=12 (local.get $set)
              (i32.sub (i32.load offset=12 (local.get $set)) (i32.const 1)))))
        (i32.store offset=48 (local.get $task) (i32.const 0)))
      (else (call $unpark (local.get $task))))
    (call $returned (local.get $task) (call $cancel_now (local.get $task))))

  ;; --- lenders ---------------------------------------------------------------------------------------------------

  ;; Takes the lenders above the mark off the stack of lenders (`handles.wat`) and keeps them until the resolve event.
  ;; A chain of cells: +0 the next, +4 how many, then 15 pairs of table and index.
  (func $keep (export "keep-lenders") (param $task i32) (param $mark i32)
    (local $top i32) (local $chain i32) (local $count i32) (local $lender i32)
    (local.set $top (i32.load offset=0x28 (i32.const 0)))
    loop $next
      (if (i32.ne (local.get $top) (local.get $mark))
        (then
          (local.set $top (i32.sub (local.get $top) (i32.const 1)))
          (if (i32.eqz (i32.rem_u (local.get $count) (i32.const 15)))
            (then
              (local.set $chain (call $cell.new))
              (i32.store (local.get $chain) (i32.load offset=44 (local.get $task)))
              (i32.store offset=44 (local.get $task) (local.get $chain))))
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (i32.store offset=4 (local.get $chain) (i32.add (i32.load offset=4 (local.get $chain)) (i32.const 1)))
          (local.set $lender
            (i32.add (i32.load offset=0x20 (i32.const 0)) (i32.shl (local.get $top) (i32.const 4))))
          (i64.store
            (i32.add
              (local.get $chain)
              (i32.shl (i32.load offset=4 (local.get $chain)) (i32.const 3)))
            (i64.load (local.get $lender)))
          (br $next)))
    end
    (i32.store offset=0x28 (i32.const 0) (local.get $mark)))

  ;; Subtask.deliver_resolve.
  (func $release (param $task i32)
    (local $chain i32) (local $next i32) (local $left i32) (local $pair i32) (local $row i32)
    (local.set $chain (i32.load offset=44 (local.get $task)))
    (i32.store offset=44 (local.get $task) (i32.const 0))
    loop $cells
      (if (local.get $chain)
        (then
          (local.set $left (i32.load offset=4 (local.get $chain)))
          loop $pairs
            (local.set $pair (i32.add (local.get $chain) (i32.shl (local.get $left) (i32.const 3))))
            (local.set $row
              (i32.add
                (i32.load (i32.load (local.get $pair)))
                (i32.shl (i32.load offset=4 (local.get $pair)) (i32.const 4))))
            (i32.store offset=8 (local.get $row)
              (i32.sub (i32.load offset=8 (local.get $row)) (i32.const 1)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $pairs (local.get $left))
          end
          (local.set $next (i32.load (local.get $chain)))
          (call $cell.free (local.get $chain))
          (local.set $chain (local.get $next))
          (br $cells)))
    end)

  ;; --- the pump --------------------------------------------------------------------------------------------------

  (func $root.get (export "root") (result i32)
    global.get $root)

  ;; Enters or leaves the engine's task of a root; returns which one we were in before.
  (func $root.enter (export "enter-root") (param $task i32) (result i32)
    global.get $root
    (global.set $root (local.get $task)))

  ;; Whether anything is ready.
  (func $ready (export "ready") (result i32)
    (i64.ne (i64.load offset=0x04 align=4 (i32.const 0)) (i64.const 0)))

  ;; Runs one thing that is ready; whether there was one.
  (func $step (export "step") (result i32)
    (local $link i32)
    (local.set $link (call $ring.pop (i32.const 0x04)))
    (if (i32.eqz (local.get $link))
      (then
        (local.set $link (call $ring.pop (i32.const 0x08)))
        (if (i32.eqz (local.get $link)) (then (return (i32.const 0))))))
    (call $run_ready (i32.sub (local.get $link) (i32.const 56)))
    i32.const 1)

  ;; The same, above a task that is blocked on the stack.
  (func (export "step-above") (result i32)
    (local $link i32)
    loop $next
      (local.set $link (call $ring.pop (i32.const 0x04)))
      (if (i32.eqz (local.get $link))
        (then
          (local.set $link (call $ring.pop (i32.const 0x08)))
          (if (i32.eqz (local.get $link)) (then (return (i32.const 0))))))
      (if (call $set_aside (i32.sub (local.get $link) (i32.const 56)))
        (then
          (call $ring.push (i32.const 0x1C) (local.get $link))
          (br $next)))
    end
    (call $run_ready (i32.sub (local.get $link) (i32.const 56)))
    i32.const 1)

  ;; What was put aside is ready again, before all that became ready since.
  (func (export "put-back")
    (local $link i32) (local $ring i32)
    loop $next
      (local.set $link (i32.load offset=0x1C (i32.const 0)))
      (if (local.get $link)
        (then
          (local.set $link (i32.load offset=4 (local.get $link)))
          (call $ring.remove (i32.const 0x1C) (local.get $link))
          (local.set $ring
            (select
              (i32.const 0x08)
              (i32.const 0x04)
              (i32.eq (i32.load (i32.sub (local.get $link) (i32.const 8))) (i32.const 2))))
          ;; In a ring, behind the last is before the first.
          (call $ring.push (local.get $ring) (local.get $link))
          (i32.store (local.get $ring) (local.get $link))
          (br $next)))
    end)

  (func $run_ready (param $task i32)
    (if (i32.and (i32.load offset=36 (local.get $task)) (i32.const 128))
      (then
        (if (i32.ne (local.get $task) (global.get $root))
          (then
            ;; Its own engine task must run it.
            (call $wake_root (local.get $task))
            (return)))))
    (call $resume (local.get $task)))

  ;; Runs a task that is ready and in no ring: its event, unless somebody else took it.
  (func $resume (export "resume") (param $task i32)
    (local $set i32) (local $code i32) (local $index i32) (local $payload i32)
    (if (i32.eq (i32.load offset=48 (local.get $task)) (i32.const 8))
      (then (call $gate (local.get $task)) (return)))
    (if (i32.and (i32.load offset=36 (local.get $task)) (i32.const 8))
      (then
        ;; It was cancelled while its instance was on the stack.
        (if (i32.eq (i32.load offset=48 (local.get $task)) (i32.const 4))
          (then
            (local.set $set (i32.load offset=52 (local.get $task)))
            (i32.store offset=12 (local.get $set) (i32.sub (i32.load offset=12 (local.get $set)) (i32.const 1)))))
        (i32.store offset=48 (local.get $task) (i32.const 0))
        (call $returned (local.get $task) (call $cancel_now (local.get $task)))
        (return)))
    (if (i32.eq (i32.load offset=48 (local.get $task)) (i32.const 4))
      (then
        (local.set $set (i32.load offset=52 (local.get $task)))
        (if (i32.eqz (i32.load offset=4 (local.get $set)))
          (then
            (call $park (local.get $task) (local.get $set))
            (return)))
        (i32.store offset=12 (local.get $set) (i32.sub (i32.load offset=12 (local.get $set)) (i32.const 1)))
        (if (i32.eqz (i32.and (i32.load offset=36 (local.get $task)) (i32.const 1024)))
          (then
            (call $set.take (local.get $set))
            (local.set $payload)
            (local.set $index)
            (local.set $code)))))
    (if (i32.and (i32.load offset=36 (local.get $task)) (i32.const 1024))
      (then
        ;; A ticket: whoever has it goes on when the stack above is gone.
        (i32.store offset=24 (local.get $task) (i32.const 1))
        (return)))
    (i32.store offset=48 (local.get $task) (i32.const 0))
    (call $returned
      (local.get $task)
      (call $run (local.get $task) (local.get $code) (local.get $index) (local.get $payload)))))
