; The threads' own code: a session's thread runs a list of steps, and workers help with the chunks.
;
; %pool, in lines of 128 bytes so that no two threads write to one line without need:
;   line 0  i64 busy   1 while a job runs on the pool
;           i64 stop   1 when workers shall leave
;   line 1  i64 claim  team << 32 | chunks of the open step that nobody has claimed
;           ptr step   the open step
;           ptr spans  its row of spans in a timed run, else null
;   line 2  i64 done   chunks of the open step that are finished
;   line 2+w  i32 asleep  1 while worker w (1, 2, ...) sleeps
;
; A step is { ptr kernel, ptr args, i64 chunks }, never written here. Whoever takes one off `claim`
; owns a chunk of the open step, which stays open until all its chunks are done: so `step` is read
; after the claim, and a worker that sleeps, or that the system has put aside, holds nobody up.
;
; A row of spans has two i64 for each thread: when its first chunk of the step began, and when its
; last one ended; both stay 0 where it had no part.
;
; system.py defines @pause, @yield, @now, @sleep, @wake and @may_sleep.

%step = type { ptr, ptr, i64 }

@spins = private constant i64 1000     ; of some 25 to 50 ns, then yields of some 0.4 us:
@patience = private constant i64 1200  ; a worker sleeps after about 100 us with nothing to do

; Runs the steps in order, each when the one before is done. With %times, writes to it when each of
; the %count steps began and when the last one ended; after these come the rows of spans.
define void @suanzi_run(ptr %pool, ptr %steps, i64 %count, i64 %threads, ptr %times) nounwind {
entry:
  %claim = getelementptr i8, ptr %pool, i64 128
  %open = getelementptr i8, ptr %pool, i64 136
  %done = getelementptr i8, ptr %pool, i64 256
  %timed = icmp ne ptr %times, null
  %open.spans = getelementptr i8, ptr %pool, i64 144
  %stamps = add i64 %count, 1
  %rows = getelementptr i64, ptr %times, i64 %stamps
  %row.size = shl i64 %threads, 4
  %many = icmp ugt i64 %threads, 1
  br i1 %many, label %lock, label %start
lock:                           ; a busy pool is left alone: then this thread does all itself
  %locked = cmpxchg ptr %pool, i64 0, i64 1 acquire monotonic
  %got = extractvalue { i64, i1 } %locked, 1
  br label %start
start:
  %shared = phi i1 [ false, %entry ], [ %got, %lock ]
  br label %each
each:
  %i = phi i64 [ 0, %start ], [ %after, %next ]
  br i1 %timed, label %stamp, label %more
stamp:
  %time = getelementptr i64, ptr %times, i64 %i
  %clock = call i64 @now()
  store i64 %clock, ptr %time
  br label %more
more:
  %has = icmp ult i64 %i, %count
  br i1 %has, label %step, label %end
step:
  %after = add nuw i64 %i, 1
  %this = getelementptr %step, ptr %steps, i64 %i
  %chunks.at = getelementptr %step, ptr %this, i64 0, i32 2
  %chunks = load i64, ptr %chunks.at
  %row.offset = mul i64 %i, %row.size
  %row = getelementptr i8, ptr %rows, i64 %row.offset
  %spans = select i1 %timed, ptr %row, ptr null
  %divides = icmp sgt i64 %chunks, 1
  %divide = and i1 %shared, %divides
  br i1 %divide, label %publish, label %alone
alone:
  %any = icmp sgt i64 %chunks, 0
  br i1 %any, label %whole, label %next
whole:
  call void @call(ptr %this, i64 0, i64 %chunks, i64 0, ptr %spans)
  br label %next
publish:
  store atomic ptr %this, ptr %open monotonic, align 8
  store atomic ptr %spans, ptr %open.spans monotonic, align 8
  store atomic i64 0, ptr %done monotonic, align 8
  %team = shl i64 %threads, 32
  %word = or i64 %team, %chunks
  store atomic i64 %word, ptr %claim seq_cst, align 8
  %useful = call i64 @llvm.umin.i64(i64 %threads, i64 %chunks)
  call void @rouse(ptr %pool, i64 %useful)
  call void @work(ptr %pool, i64 0)
  br label %wait
wait:
  %tries = phi i64 [ 0, %publish ], [ %tries.next, %back ]
  %finished = load atomic i64, ptr %done acquire, align 8
  %all = icmp eq i64 %finished, %chunks
  br i1 %all, label %next, label %back
back:
  %tries.next = add i64 %tries, 1
  call void @relax(i64 %tries)
  br label %wait
next:
  br label %each
end:
  br i1 %shared, label %unlock, label %leave
unlock:
  store atomic i64 0, ptr %pool release, align 8
  br label %leave
leave:
  ret void
}

; A worker's life: helps until it is told to stop. Returns 1 when it would sleep but can't by
; itself; it is to be called again when there may be work.
define i64 @suanzi_worker(ptr %pool, i64 %thread) nounwind {
entry:
  %stop = getelementptr i8, ptr %pool, i64 8
  %line = add i64 %thread, 2
  %offset = shl i64 %line, 7
  %asleep = getelementptr i8, ptr %pool, i64 %offset
  br label %awake
awake:
  br label %poll
poll:
  %tries = phi i64 [ 0, %awake ], [ %tries.next, %idle ], [ %tries, %stay ]
  %told = load atomic i64, ptr %stop monotonic, align 8
  %leave = icmp ne i64 %told, 0
  br i1 %leave, label %gone, label %look
look:
  %wanted = call i1 @wanted(ptr %pool, i64 %thread)
  br i1 %wanted, label %help, label %tired
help:
  call void @work(ptr %pool, i64 %thread)
  br label %awake
tired:
  %patience = load i64, ptr @patience
  %patient = icmp ult i64 %tries, %patience
  br i1 %patient, label %idle, label %allowed
idle:
  %tries.next = add i64 %tries, 1
  call void @relax(i64 %tries)
  br label %poll
allowed:
  %may = call i1 @may_sleep(ptr %pool)
  br i1 %may, label %drowsy, label %stay
stay:
  call void @relax(i64 %tries)
  br label %poll
drowsy:                         ; the last look is after the word, as rouse's is after the claim
  store atomic i32 1, ptr %asleep seq_cst, align 4
  %late = call i1 @wanted(ptr %pool, i64 %thread)
  %told.late = load atomic i64, ptr %stop seq_cst, align 8
  %leave.late = icmp ne i64 %told.late, 0
  %again = or i1 %late, %leave.late
  br i1 %again, label %rise, label %bed
bed:
  %slept = call i1 @sleep(ptr %asleep)
  br i1 %slept, label %awake, label %out
rise:
  store atomic i32 0, ptr %asleep seq_cst, align 4
  br label %awake
out:
  store atomic i32 0, ptr %asleep seq_cst, align 4
  ret i64 1
gone:
  ret i64 0
}

; Tells the workers 1 .. %team - 1 to leave.
define void @suanzi_stop(ptr %pool, i64 %team) nounwind {
  %stop = getelementptr i8, ptr %pool, i64 8
  store atomic i64 1, ptr %stop seq_cst, align 8
  call void @rouse(ptr %pool, i64 %team)
  ret void
}

; Whether the open step has a chunk for this thread.
define internal i1 @wanted(ptr %pool, i64 %thread) nounwind alwaysinline {
  %claim = getelementptr i8, ptr %pool, i64 128
  %word = load atomic i64, ptr %claim seq_cst, align 8
  %result = call i1 @has_chunk(i64 %word, i64 %thread)
  ret i1 %result
}

define internal i1 @has_chunk(i64 %word, i64 %thread) nounwind alwaysinline {
  %left = trunc i64 %word to i32
  %some = icmp ne i32 %left, 0
  %team = lshr i64 %word, 32
  %member = icmp ult i64 %thread, %team
  %result = and i1 %some, %member
  ret i1 %result
}

; Claims and runs chunks of the open step until none is left.
define internal void @work(ptr %pool, i64 %thread) nounwind {
entry:
  %claim = getelementptr i8, ptr %pool, i64 128
  %open = getelementptr i8, ptr %pool, i64 136
  %done = getelementptr i8, ptr %pool, i64 256
  br label %look
look:
  %word = load atomic i64, ptr %claim monotonic, align 8
  %wanted = call i1 @has_chunk(i64 %word, i64 %thread)
  br i1 %wanted, label %try, label %leave
try:
  %fewer = sub i64 %word, 1
  %claimed = cmpxchg weak ptr %claim, i64 %word, i64 %fewer acquire monotonic
  %mine = extractvalue { i64, i1 } %claimed, 1
  br i1 %mine, label %chunk, label %look
chunk:
  %step = load atomic ptr, ptr %open monotonic, align 8
  %spans.at = getelementptr i8, ptr %pool, i64 144
  %spans = load atomic ptr, ptr %spans.at monotonic, align 8
  %chunks.at = getelementptr %step, ptr %step, i64 0, i32 2
  %chunks = load i64, ptr %chunks.at
  %left = and i64 %word, 4294967295
  %begin = sub i64 %chunks, %left
  %end = add i64 %begin, 1
  call void @call(ptr %step, i64 %begin, i64 %end, i64 %thread, ptr %spans)
  %before = atomicrmw add ptr %done, i64 1 release
  br label %look
leave:
  ret void
}

; Runs chunks of a step; notes when in %spans, if that isn't null.
define internal void @call(
    ptr %step, i64 %begin, i64 %end, i64 %thread, ptr %spans) nounwind alwaysinline {
entry:
  %kernel = load ptr, ptr %step
  %args.at = getelementptr %step, ptr %step, i64 0, i32 1
  %args = load ptr, ptr %args.at
  %timed = icmp ne ptr %spans, null
  br i1 %timed, label %timing, label %plain
plain:
  call void %kernel(ptr %args, i64 %begin, i64 %end, i64 %thread)
  ret void
timing:
  %pair = shl i64 %thread, 1
  %first = getelementptr i64, ptr %spans, i64 %pair
  %last = getelementptr i64, ptr %first, i64 1
  %known = load i64, ptr %first
  %fresh = icmp eq i64 %known, 0
  br i1 %fresh, label %starts, label %goes
starts:
  %now = call i64 @now()
  store i64 %now, ptr %first
  br label %goes
goes:
  call void %kernel(ptr %args, i64 %begin, i64 %end, i64 %thread)
  %done = call i64 @now()
  store i64 %done, ptr %last
  ret void
}

; Wakes those of the workers 1 .. %team - 1 that sleep.
define internal void @rouse(ptr %pool, i64 %team) nounwind {
entry:
  br label %each
each:
  %w = phi i64 [ 1, %entry ], [ %w.next, %next ]
  %has = icmp ult i64 %w, %team
  br i1 %has, label %look, label %leave
look:
  %line = add i64 %w, 2
  %offset = shl i64 %line, 7
  %asleep = getelementptr i8, ptr %pool, i64 %offset
  %state = load atomic i32, ptr %asleep seq_cst, align 4
  %sleeps = icmp ne i32 %state, 0
  br i1 %sleeps, label %ring, label %next
ring:
  %was = atomicrmw xchg ptr %asleep, i32 0 seq_cst
  call void @wake(ptr %asleep)
  br label %next
next:
  %w.next = add i64 %w, 1
  br label %each
leave:
  ret void
}

; What a thread does between two looks: at first nothing for a moment, later lets others run.
define internal void @relax(i64 %tries) nounwind {
  %spins = load i64, ptr @spins
  %early = icmp ult i64 %tries, %spins
  br i1 %early, label %spin, label %give
spin:
  call void @pause()
  ret void
give:
  call void @yield()
  ret void
}

declare i64 @llvm.umin.i64(i64, i64)
