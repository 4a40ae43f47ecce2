%% Riak's place of {Bucket, Key}, or of {{Type, Bucket}, Key}, by Erlang's own crypto and external term format, as chash:key_of makes it;
%% and the first partition of the preference list, as chash:ordered_from splits the ring. Arguments: the ring's size; input: lines of
%% type, bucket, key in hexadecimal, type empty for the default.
main([Size]) ->
    io:format("~s~n", [erlang:system_info(otp_release)]),
    loop(list_to_integer(Size)).

loop(Size) ->
    case io:get_line("") of
        eof -> ok;
        Line ->
            [Type, Bucket, Key] = [binary:decode_hex(list_to_binary(P)) || P <- string:split(string:trim(Line, trailing, "\n"), ",", all)],
            Name = case Type of <<>> -> Bucket; _ -> {Type, Bucket} end,
            <<Place:160/integer>> = crypto:hash(sha, term_to_binary({Name, Key})),
            Inc = (1 bsl 160) div Size,
            {Before, After} = lists:split((Place div Inc) + 1, lists:seq(0, Size - 1)),
            [First | _] = After ++ Before,
            io:format("~B,~B~n", [Place, First]),
            loop(Size)
    end.
