//+------------------------------------------------------------------+
//| Writes the terminal's economic calendar for the desk, as a CSV   |
//| in the common folder: again and again until it is removed from   |
//| its chart, or once.                                              |
//+------------------------------------------------------------------+
#property script_show_inputs
#property version "1.00"

input int    DaysBack     = 3;                     // Days before now
input int    DaysAhead    = 14;                    // Days after now
input int    EveryMinutes = 30;                    // Minutes between two exports; 0 exports once
input string FileName     = "MT5UI_calendar.csv";  // In the common folder, below Files

//--- a cell: quoted, so that commas and quotes in a name are safe
string Cell(string text)
  {
   StringReplace(text, "\"", "\"\"");
   return "\"" + text + "\"";
  }

//--- a value in millionths; LONG_MIN is "not set"
string Value(const long millionths)
  {
   return millionths == LONG_MIN ? "" : IntegerToString(millionths);
  }

//--- server time minus UTC, rounded to a quarter of an hour: the two clocks differ by seconds
int OffsetSeconds()
  {
   return (int)MathRound((double)(TimeTradeServer() - TimeGMT()) / 900.0) * 900;
  }

bool Export()
  {
   const datetime now  = TimeTradeServer();
   const datetime from = now - DaysBack * 86400;
   const datetime to   = now + DaysAhead * 86400;
   const string   tail = "," + IntegerToString(OffsetSeconds()) + "," +
                         TimeToString(TimeGMT(), TIME_DATE | TIME_SECONDS) + "," +
                         TimeToString(from, TIME_DATE | TIME_SECONDS) + "," +
                         TimeToString(to, TIME_DATE | TIME_SECONDS);
   MqlCalendarValue values[];
   ResetLastError();
   if(!CalendarValueHistory(values, from, to) || ArraySize(values) == 0)
     {
      PrintFormat("The calendar could not be read: error %d. The file stays as it was.", GetLastError());
      return false;
     }
   const string draft = FileName + ".part";
   const int file = FileOpen(draft, FILE_WRITE | FILE_TXT | FILE_ANSI | FILE_COMMON, 0, CP_UTF8);
   if(file == INVALID_HANDLE)
     {
      PrintFormat("%s could not be written: error %d", draft, GetLastError());
      return false;
     }
   FileWriteString(file, "Time,Currency,Importance,Event,ActualValue,ForecastValue,PrevValue,TimeMode,"
                         "OffsetSeconds,ExportedUTC,FromServer,ToServer\n");
   bool complete = true;
   for(int i = 0; i < ArraySize(values); i++)
     {
      MqlCalendarEvent   event;
      MqlCalendarCountry country;
      if(!CalendarEventById(values[i].event_id, event) || !CalendarCountryById(event.country_id, country))
        {
         PrintFormat("Event %I64u could not be read: error %d", values[i].event_id, GetLastError());
         complete = false;
         break;
        }
      const long previous = values[i].revised_prev_value != LONG_MIN ? values[i].revised_prev_value
                                                                     : values[i].prev_value;
      FileWriteString(file, TimeToString(values[i].time, TIME_DATE | TIME_SECONDS) + "," + country.currency +
                            "," + IntegerToString((int)event.importance) + "," + Cell(event.name) + "," +
                            Value(values[i].actual_value) + "," + Value(values[i].forecast_value) + "," +
                            Value(previous) + "," + IntegerToString((int)event.time_mode) + tail + "\n");
     }
   FileClose(file);
   //--- the desk never sees half a file
   if(!complete || !FileMove(draft, FILE_COMMON, FileName, FILE_COMMON | FILE_REWRITE))
     {
      FileDelete(draft, FILE_COMMON);
      PrintFormat("%s was not written anew: error %d. It stays as it was.", FileName, GetLastError());
      return false;
     }
   PrintFormat("%d events written to %s\\Files\\%s", ArraySize(values),
               TerminalInfoString(TERMINAL_COMMONDATA_PATH), FileName);
   return true;
  }

void OnStart()
  {
   do
     {
      Export();
      for(int second = 0; second < EveryMinutes * 60 && !IsStopped(); second++)
         Sleep(1000);
     }
   while(EveryMinutes > 0 && !IsStopped());
  }
